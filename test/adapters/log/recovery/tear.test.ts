import { expect, test } from "bun:test"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { whyNotTorn } from "../../../../adapters/log/recovery/tear.ts"
import { fieldAt, RecordBatch } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { readInt32, writeInt32 } from "../../../../domain/log/int.ts"
import { encodeBatch } from "../../../../domain/log/record.ts"
import { batch } from "../../../src/ports/log-batches.ts"

const sectorBytes = 512
const before = batch(0, 1, 700)
/** A record whose value holds whole batches of another log, with later offsets. */
const nested = new RecordBatch(
  encodeBatch(
    {
      baseOffset: 1,
      leaderEpoch: 0,
      codec: "none",
      records: [
        { timestamp: 1, key: null, value: new Uint8Array([...new Uint8Array(3000).fill(1), ...batch(9, 1, 40).bytes, ...new Uint8Array(3000).fill(2)]) }
      ]
    },
    { crc32c, compress: (_codec, bytes) => bytes }
  )
)
const after = batch(2, 1, 900)
const start = before.bytes.length
const whole = new Uint8Array([...before.bytes, ...nested.bytes, ...after.bytes])

const judged = (bytes: Uint8Array, position = start, offset = 1): string | undefined => {
  const disk = new MemoryDisk()
  const file = disk.session().open("/segment", "create")
  file.write([bytes], 0)
  return whyNotTorn(file, bytes.length, position, offset, false, crc32c)
}
const changed = (change: (bytes: Uint8Array) => void): Uint8Array => {
  const bytes = whole.slice()
  change(bytes)
  return bytes
}

test("L9: a batch that lacks any of its sectors, or its end, is torn, whatever follows it", () => {
  for (let sector = Math.floor(start / sectorBytes); sector * sectorBytes < start + nested.bytes.length; sector++)
    expect(judged(changed((bytes) => bytes.fill(0, Math.max(start, sector * sectorBytes), Math.min(bytes.length, (sector + 1) * sectorBytes))))).toBeUndefined()
  for (let size = start; size < start + nested.bytes.length; size += 13) expect(judged(whole.slice(0, size))).toBeUndefined()
}, 300_000)

test("L9: any flipped bit in a batch with all its sectors is damage, also in its length", () => {
  for (let at = start; at < start + nested.bytes.length; at += at < start + fieldAt.records ? 1 : 37) {
    // The offset and the epoch are outside of the checksum: the walk over the batches compares them.
    const field = at - start
    if (field < fieldAt.batchLength || (field >= fieldAt.leaderEpoch && field < fieldAt.magic)) continue
    for (const bit of [1, 0x40]) expect([at, judged(changed((bytes) => void (bytes[at] = (bytes[at] as number) ^ bit)))]).toEqual([at, expect.any(String)])
  }
  const longer = changed((bytes) => writeInt32(bytes, start + fieldAt.batchLength, readInt32(bytes, start + fieldAt.batchLength) + 100_000))
  expect(judged(longer)).toMatch(/but for its length/)
  expect(judged(longer.slice(0, start + nested.bytes.length))).toMatch(/but for its length/)
}, 300_000)
