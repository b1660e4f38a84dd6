/**
 * Walks over random, sound and changed records in native code, and compares with RecordCheck. Prints one line of JSON. Runs in a separate process, since native code that reads
 * outside of its range may crash it. The bytes around the range change between two walks: they must not influence the result. The arguments are the number of inputs and the seed.
 */
import { compiledWalk } from "../../../adapters/checksum/record-walk.ts"
import { fieldAt, headerSize, RecordBatch } from "../../../domain/log/batch.ts"
import { writeInt32, writeInt64 } from "../../../domain/log/int.ts"
import { checkRecords, type RecordRules } from "../../../domain/log/record-check.ts"
import { writeVarint, writeVarlong } from "../../../domain/log/varint.ts"

const inputs = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? 1)
let state = seed
const below = (bound: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return (state >>> 8) % bound
}
const oneOf = <A>(...of: ReadonlyArray<A>): A => of[below(of.length)] as A

const base = 1_700_000_000_000
const sizeMax = 40_000
const bytes = new Uint8Array(sizeMax)
const body = new Uint8Array(2000)

const writeBytes = (to: Uint8Array, at: number, size: number): number => writeVarint(to, at, size) + Math.max(size, 0)

/** Writes at most a few hundred mostly similar records; returns their end. */
const writeRecords = (count: number): number => {
  const kind = below(4)
  const size = below(200)
  const key = oneOf(-1, -1, 0, 5, 63, 64)
  let end: number = headerSize
  for (let index = 0; index < count; index++) {
    const isOther = kind === 0 ? below(2) === 0 : below(60) === 0
    let at = 1
    at = writeVarlong(body, at, kind === 1 ? index * 50 : isOther ? oneOf(-1, -70, 63, 64, 8191, 8192, 2 ** 21, 2 ** 40, 2 ** 53 - 2, 1 - 2 ** 53) : 0)
    at = writeVarint(body, at, index)
    at = writeBytes(body, at, isOther ? below(100) - 1 : key)
    at = writeBytes(body, at, isOther ? below(300) - 1 : kind === 2 ? below(size + 1) : size)
    const headers = isOther ? below(3) : 0
    at = writeVarint(body, at, headers)
    for (let i = 0; i < headers; i++) at = writeBytes(body, writeBytes(body, at, below(9)), below(9) - 1)
    end = writeVarint(bytes, end, at)
    bytes.set(body.subarray(0, at), end)
    end += at
  }
  return end
}

const change = (end: number): void => {
  const near = below(2) === 0
  const at = headerSize + below(near ? Math.min(end - headerSize, 60) : end - headerSize)
  bytes[at] = oneOf(below(256), (bytes[at] as number) ^ (1 << below(8)), (bytes[at] as number) + 1, 0, 1, 0x7f, 0x80, 0xff)
}

const walk = compiledWalk()
const times = { from: base - 2 ** 45, to: base + 2 ** 45 }
const count = { inputs: 0, sound: 0, soundUnknown: 0, changed: 0, changedTaken: 0, wrong: 0, outside: 0 }

for (; count.inputs < inputs; count.inputs++) {
  const records = oneOf(1, 2, 3, 5, 10, 20, 20, 40, 70, 100)
  const isRandom = below(10) === 0
  let end = isRandom ? headerSize + 1 + below(100) : writeRecords(records)
  if (isRandom) for (let at = headerSize; at < end; at++) bytes[at] = oneOf(below(256), below(20))
  const isChanged = isRandom || below(4) > 0
  if (isChanged && !isRandom) for (let changes = below(3); changes >= 0; changes--) change(end)
  if (isChanged && below(10) === 0) end = headerSize + 1 + below(end - headerSize)
  const said = isChanged && below(10) === 0 ? oneOf(records + 1, 2 ** 31 - 1, 2 ** 30, 0, -1, 0.5, Number.NaN) : isRandom ? 1 + below(8) : records
  const needsKeys = below(4) === 0
  // The engine may represent them as doubles.
  const deltas = walk(bytes, (headerSize * 3) / 3, end + 0.5 - 0.5, said, needsKeys)
  const before = bytes.slice(end, end + 100)
  for (let at = end; at < Math.min(end + 100, sizeMax); at++) bytes[at] = ~(bytes[at] as number)
  const again = walk(bytes, headerSize, end, said, needsKeys)
  bytes.set(before, end)
  if (deltas?.min !== again?.min || deltas?.max !== again?.max) count.outside++
  count[isChanged ? "changed" : "sound"]++
  if (deltas === undefined) {
    // Sound records are accepted unless a required key is missing.
    if (!isChanged && !needsKeys) count.soundUnknown++
    continue
  }
  if (isChanged) count.changedTaken++
  const header = bytes.subarray(0, end)
  writeInt32(header, fieldAt.recordCount, said)
  writeInt64(header, fieldAt.baseTimestamp, base)
  const batch = new RecordBatch(header)
  for (const rules of [
    { needsKeys, times: undefined },
    { needsKeys, times }
  ] satisfies ReadonlyArray<RecordRules>) {
    const plain = checkRecords(batch, header, rules, headerSize)
    const quick = checkRecords(batch, header, rules, headerSize, walk)
    if (plain.maxTimestamp !== quick.maxTimestamp || plain.rejection?.message !== quick.rejection?.message) count.wrong++
    if (rules.times === undefined && plain.maxTimestamp !== Math.max(base + deltas.max, -1)) count.wrong++
  }
}
const ratio = count.changedTaken / count.changed
console.log(JSON.stringify({ seed, ...count, ratio }))
