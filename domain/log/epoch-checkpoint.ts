import type { Epoch, Offset } from "../kernel/id.ts"

/** Where a leader epoch began in a log. */
export interface EpochStart {
  readonly epoch: Epoch
  readonly offset: Offset
}

/** Kafka's name for the file. */
export const epochCheckpointFileName = "leader-epoch-checkpoint"

/**
 * Kafka's checkpoint of leader epochs: the version 0, the number of lines that follow, and in each an epoch and the
 * offset where it began.
 */
export const encodeEpochCheckpoint = (starts: ReadonlyArray<EpochStart>): string =>
  `0\n${starts.length}\n${starts.map(({ epoch, offset }) => `${epoch} ${offset}\n`).join("")}`

const lineForm = /^(\d{1,10}) (\d{1,16})$/

/**
 * What such a file holds; undefined where a line is missing, torn or no higher than the one before it. A disk that did
 * not write a sector leaves it out or leaves zeros: the number of lines and the end of the last one tell, so the format
 * needs no checksum for that.
 */
export const decodeEpochCheckpoint = (text: string): ReadonlyArray<EpochStart> | undefined => {
  const lines = text.split("\n")
  const count = lines.length - 3
  if (lines[0] !== "0" || lines[1] !== String(count) || lines.at(-1) !== "") return undefined
  const starts: Array<EpochStart> = []
  for (const each of lines.slice(2, -1)) {
    const found = lineForm.exec(each)
    const start = { epoch: Number(found?.[1]), offset: Number(found?.[2]) }
    const last = starts.at(-1)
    if (found === null || !Number.isSafeInteger(start.offset) || (last !== undefined && (last.epoch >= start.epoch || last.offset >= start.offset)))
      return undefined
    starts.push(start)
  }
  return starts
}
