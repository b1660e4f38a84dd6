import type { Offset } from "../../../domain/kernel/id.ts"
import { fieldAt, lengthOverhead } from "../../../domain/log/batch.ts"
import { readInt32, readInt64 } from "../../../domain/log/int.ts"

/** The result of a log's read: runs of whole batches, as views. */
export type Views = ReadonlyArray<Uint8Array>

export const sizeOf = (views: Views): number => {
  let size = 0
  for (const view of views) size += view.length
  return size
}

const batchEnd = (view: Uint8Array, at: number): number => at + lengthOverhead + readInt32(view, at + fieldAt.batchLength)

/** The offset after the last batch; `from` where there is none. Reads a few bytes of each batch. */
export const nextOffsetAfter = (views: Views, from: Offset): Offset => {
  const view = views[views.length - 1]
  if (view === undefined || view.length === 0) return from
  let at = 0
  for (let end = batchEnd(view, at); end < view.length; end = batchEnd(view, at)) at = end
  return readInt64(view, at) + readInt32(view, at + fieldAt.lastOffsetDelta) + 1
}
