import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { ChainEntry } from "../../../domain/log/header-chain.ts"
import { type ChangedHeader, changedText } from "../../../domain/log/header-check.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import { type ReadableDisk, readSmallFile } from "../disk/disk.ts"
import type { RecoveryPoint } from "../recovery/recovery-point.ts"
import { readChecksum } from "../segment/segment-checksum.ts"
import { checksumOf, type SegmentPath } from "../segment/segment-files.ts"

const indexBytesMax = 0x7fff_ffff

/** What a checksum file says of the segment beside it: its entries, that it is no whole file, or nothing, as of a segment that is still written. */
type Expected = ReadonlyArray<ChainEntry> | "damaged" | undefined

/**
 * The checksum that holds for a segment. The last one of a log is still written: the file beside it was written by a clean close, and is believed where the recovery
 * point of that close vouches for it. A power cut may leave an older one.
 */
export const expectedHeaders = (
  disk: ReadableDisk,
  segment: { readonly baseOffset: Offset; readonly path: SegmentPath; readonly sizeInBytes: number },
  isLast: boolean,
  point: RecoveryPoint | undefined,
  crc32c: Crc32c
): Expected => {
  const { baseOffset, path, sizeInBytes } = segment
  if (!disk.exists(path.checksum)) return undefined
  const found = readChecksum(disk, segment, crc32c)
  if (!isLast) return found?.entries ?? "damaged"
  if (found === undefined || point?.isClean !== true || point.baseOffset !== baseOffset || point.position !== sizeInBytes) return undefined
  if (!disk.exists(path.offsetIndex) || !disk.exists(path.timeIndex)) return undefined
  const indexes = { offset: readSmallFile(disk, path.offsetIndex, indexBytesMax), time: readSmallFile(disk, path.timeIndex, indexBytesMax) }
  return checksumOf(indexes, found.bytes, crc32c) === point.indexesChecksum ? found.entries : undefined
}

/** The finding for headers that are not what they were. */
export const headerFinding = (directory: string, file: string, changed: ChangedHeader): Finding => ({
  kind: "header",
  file,
  position: changed.flipped?.position ?? changed.from,
  offset: changed.offset,
  meaning: `A header changed after the segment was ended: ${changedText(changed)}. The records are whole.`,
  advice:
    changed.flipped === undefined
      ? `Stop the node and put a copy of the file (a backup) back. Without one, \`franz log repair ${directory}\` shows what can be done.`
      : `\`franz log repair ${directory} --execute\` turns the bit back; nothing is lost. Then look at the machine: a disk or memory that turns bits does it again.`
})

export const checksumFileFinding = (directory: string, file: string): Finding => ({
  kind: "index",
  file,
  position: undefined,
  offset: undefined,
  meaning: "The checksum file of the segment is torn or damaged: a changed header in the segment would not be seen. No message is lost.",
  advice: `The node's scrub makes it again from the log; \`franz log repair ${directory} --execute\` does it now.`
})
