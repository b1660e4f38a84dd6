import { bug } from "../../../domain/kernel/bug.ts"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { checksumBytesMax, decodeChecksum, encodeChecksum, HeaderChain, type SegmentChecksum } from "../../../domain/log/header-chain.ts"
import { attempt, type Disk, type DiskFile, type ReadableDisk, readSmallFile } from "../disk/disk.ts"
import { type Walked, walkHeaders } from "./header-walk.ts"
import type { SegmentExtent } from "./segment-files.ts"

/** What a checksum file says of a segment, and the bytes that say it. */
interface FoundChecksum extends SegmentChecksum {
  readonly bytes: Uint8Array
}

/** What the checksum file says; undefined where there is none, or none that is whole and of this very segment. Throws what the disk throws. */
export const readChecksum = (
  disk: ReadableDisk,
  { baseOffset, path, sizeInBytes }: Pick<SegmentExtent, "baseOffset" | "path" | "sizeInBytes">,
  crc32c: Crc32c
): FoundChecksum | undefined => {
  if ((disk.size(path.checksum) ?? Number.POSITIVE_INFINITY) > checksumBytesMax) return undefined
  const bytes = readSmallFile(disk, path.checksum, checksumBytesMax)
  const found = decodeChecksum(bytes, crc32c)
  return found?.baseOffset === baseOffset && found.sizeInBytes === sizeInBytes ? { ...found, bytes } : undefined
}

/**
 * Writes the checksum file of a segment; answers its bytes, or undefined where the disk did not take them: then there is none, and the scrub makes it later.
 * The caller syncs the file with the segment; one that is torn is noticed by its own checksum.
 */
export const writeChecksum = (
  disk: Disk,
  path: string,
  { baseOffset, sizeInBytes }: { readonly baseOffset: Offset; readonly sizeInBytes: number },
  chain: HeaderChain,
  crc32c: Crc32c
): Uint8Array | undefined => {
  if (chain.sizeInBytes !== sizeInBytes) bug(`The checksum for ${path} is over ${chain.sizeInBytes} bytes, the segment has ${sizeInBytes}.`)
  const bytes = encodeChecksum({ baseOffset, sizeInBytes, entries: chain.entries() }, crc32c)
  const written = attempt(path, "write", () => {
    const file = disk.open(path, "create")
    try {
      // Written over what stood there: a file that is emptied first makes the file system wait, and of two that a power cut mixed the checksum fits neither.
      file.write([bytes], 0)
      if (file.size() > bytes.length) file.truncate(bytes.length)
    } finally {
      file.close()
    }
  })
  return written._tag === "Right" ? bytes : undefined
}

/** The chain over the headers of a segment as its file has them, and where it ended: `wrong` says what stood there instead of a batch. */
export const chainOf = (file: DiskFile, size: number): Walked & { readonly chain: HeaderChain } => {
  const chain = new HeaderChain()
  const walked = walkHeaders(file, 0, size, (header) => (chain.add(header), true))
  return { ...walked, chain }
}
