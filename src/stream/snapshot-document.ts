import { Either } from "effect"
import type { Steps } from "../../domain/kernel/steps.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { decodeBatches, encodeEntries } from "../ports/entry-record.ts"
import type { Snapshot } from "../ports/journal.ts"
import { LogFault } from "../ports/log-store.ts"

/** Bytes of a snapshot in one record. */
const partBytesMax = 524_288
const type = "Snapshot"

/** Returns a snapshot as it goes over the wire: record batches with their checksums, a part of it in each (KIP-630). */
export function* writeSnapshotDocument({ value }: Snapshot, epoch: number, crc32c: Crc32c): Steps<Uint8Array> {
  const batches: Array<Uint8Array> = []
  for (let at = 0; at < value.length; at += partBytesMax) {
    const entry = { commandId: "", actor: "leader", cause: "FetchSnapshot", type, value: value.subarray(at, at + partBytesMax) }
    batches.push(encodeEntries([entry], batches.length, epoch, 0, crc32c))
    yield
  }
  const document = new Uint8Array(batches.reduce((sum, batch) => sum + batch.length, 0))
  let at = 0
  for (const batch of batches) {
    document.set(batch, at)
    at += batch.length
  }
  return document
}

/** Returns the value of the snapshot in a document. LogFault "corrupt" where a part is damaged or missing. */
export const readSnapshotDocument = (stream: string, document: Uint8Array, crc32c: Crc32c): Either.Either<Uint8Array, LogFault> =>
  Either.flatMap(decodeBatches(stream, [document], crc32c), (batches) => {
    const entries = batches.flatMap(({ entries }) => entries)
    const read = batches.reduce((sum, { batch }) => sum + batch.bytes.length, 0)
    if (read !== document.length || entries.some((entry, part) => entry.index !== part || entry.type !== type))
      return Either.left(
        new LogFault({ path: stream, reason: "corrupt", message: `The snapshot of ${stream} is not whole: ${read} of ${document.length} bytes are its parts.` })
      )
    const value = new Uint8Array(entries.reduce((sum, entry) => sum + entry.value.length, 0))
    let at = 0
    for (const entry of entries) {
      value.set(entry.value, at)
      at += entry.value.length
    }
    return Either.right(value)
  })
