import type { Offset } from "../../domain/kernel/id.ts"
import { attribute, fieldAt, lengthOverhead } from "../../domain/log/batch.ts"
import { codecId } from "../../domain/log/codec.ts"
import { readInt16, readInt32, readInt64 } from "../../domain/log/int.ts"

/** What a log's read answers: runs of whole batches, as views. */
export type Views = ReadonlyArray<Uint8Array>

export const sizeOf = (views: Views): number => {
  let size = 0
  for (const view of views) size += view.length
  return size
}

const batchEnd = (view: Uint8Array, at: number): number => at + lengthOverhead + readInt32(view, at + fieldAt.batchLength)

/** The offset after the last batch; `from` where there is none. Costs a few bytes a batch. */
export const nextOffsetAfter = (views: Views, from: Offset): Offset => {
  const view = views[views.length - 1]
  if (view === undefined || view.length === 0) return from
  let at = 0
  for (let end = batchEnd(view, at); end < view.length; end = batchEnd(view, at)) at = end
  return readInt64(view, at) + readInt32(view, at + fieldAt.lastOffsetDelta) + 1
}

const zstd = codecId("zstd")

/** The batches before the first that is compressed with zstd, for a client too old to read it; "zstd first" where that leaves none. */
export const beforeZstd = (views: Views): Views | "zstd first" => {
  for (const [i, view] of views.entries())
    for (let at = 0; at < view.length; at = batchEnd(view, at))
      if ((readInt16(view, at + fieldAt.attributes) & attribute.codec) === zstd)
        return i === 0 && at === 0 ? "zstd first" : [...views.slice(0, i), view.subarray(0, at)]
  return views
}
