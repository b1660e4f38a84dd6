import { Effect, Either, Logger, LogLevel } from "effect"
import { type RecordBatch, readableBatches } from "../../../../domain/log/batch.ts"
import { readInt32, readInt64 } from "../../../../domain/log/int.ts"
import { Chance } from "../../../simulation/chance.ts"
import { batchesIn, checksum } from "../../../src/ports/log-batches.ts"
import { allOf } from "./choices.ts"
import { imageOf } from "./images.ts"
import { witnessOf } from "./run.ts"
import { diskOver } from "./trace-disk.ts"
import { fileAt, namesIn, at as nodeAt, type Tree } from "./tree.ts"
import type { Workload } from "./workloads.ts"
import { openStore, root, type System, type Witness } from "./world.ts"

/** A kind of damage to a synced byte. */
type Damage = "flip" | "blank" | "cut"
const sectorBytes = 512

interface DamageReport {
  tried: number
  /** How many of them took the log offline; the others lost no data. */
  offline: number
  readonly failures: Array<string>
}

/** All that was written, with the recovery point from before or after it: the least that recovery may know of what was synced. */
const image = (witness: Witness, at: number, isPointThere: boolean): Tree | undefined => {
  const tree = imageOf(witness.trace, at, allOf)
  if (isPointThere) return tree
  const directory = nodeAt(tree, `${root.slice(1)}/${nameOf(witness)}`)
  if (!(directory instanceof Map)) return undefined
  directory.set("recovery-point", new Uint8Array(0))
  return tree
}
const nameOf = ({ logs }: Witness): string => `${logs[0]?.topicId}-${logs[0]?.partition}`

/** A synced byte that recovery reads: in the segment of the recovery point or a later one. Not a byte of an epoch, which no checksum covers. */
const placeOf = (tree: Tree, witness: Witness, synced: number, chance: Chance, from: number) => {
  const directory = `${root.slice(1)}/${nameOf(witness)}`
  const bases = namesIn(tree, directory)
    .filter((name) => name.endsWith(".log"))
    .map((name) => Number(name.slice(0, 20)))
    .sort((a, b) => a - b)
  const walked = bases.slice(
    Math.max(
      0,
      bases.findLastIndex((base) => base <= from)
    )
  )
  const places: Array<{ readonly path: string; readonly start: number; readonly batch: RecordBatch }> = []
  for (const base of walked) {
    const path = `${directory}/${String(base).padStart(20, "0")}.log`
    let start = 0
    for (const batch of Either.getOrElse(readableBatches(fileAt(tree, path) ?? new Uint8Array(0)), () => [])) {
      if (batch.nextOffset <= synced) places.push({ path, start, batch })
      start += batch.bytes.length
    }
  }
  if (places.length === 0) return undefined
  const { batch, path, start } = chance.pick(places)
  const within = chance.below(batch.bytes.length - 4)
  return { path, position: start + (within >= 12 ? within + 4 : within) }
}

const apply = (bytes: Uint8Array, position: number, damage: Damage, chance: Chance): Uint8Array => {
  if (damage === "cut") return bytes.slice(0, position)
  const changed = bytes.slice()
  if (damage === "flip") changed[position] = (changed[position] as number) ^ (1 << chance.below(8))
  else changed.fill(0, position - (position % sectorBytes), Math.min(changed.length, position - (position % sectorBytes) + sectorBytes))
  return changed
}

/** The recovery point of the image; undefined after a clean close, after which the log is opened without reading all of it. */
const pointOf = (tree: Tree, witness: Witness): number | undefined => {
  const bytes = fileAt(tree, `${root.slice(1)}/${nameOf(witness)}/recovery-point`) ?? new Uint8Array(0)
  const slots = [0, sectorBytes]
    .filter((slot) => bytes.length >= slot + 44)
    .map((slot) => ({ generation: readInt64(bytes, slot + 4), base: readInt64(bytes, slot + 20), isClean: (readInt32(bytes, slot + 32) & 1) !== 0 }))
  const newest = slots.toSorted((one, other) => other.generation - one.generation)[0]
  return newest?.isClean === true ? undefined : (newest?.base ?? 0)
}

/** The log's reaction to the damage: offline with unchanged files, or all synced bytes unchanged. Any other result is silent data loss. */
const problemOf = (system: System, witness: Witness, tree: Tree, path: string, synced: number) =>
  Effect.gen(function* () {
    const of = witness.logs[0]
    if (of === undefined) return undefined
    const trace = diskOver(tree)
    const store = yield* openStore(system, trace.disk)
    const opened = yield* Effect.either(store.open(of.topicId, of.partition, of.config))
    if (Either.isLeft(opened)) {
      const after = fileAt(trace.tree(), path)
      if (opened.left.reason !== "corrupt") return `it is offline for another reason: ${opened.left.message}`
      return after !== undefined && Buffer.compare(after, fileAt(tree, path) as Uint8Array) === 0 ? "offline" : "it is offline, and the file was changed"
    }
    const log = opened.right
    if (log.end() < synced) return `it ends at ${log.end()} without a word, ${synced} was answered as durable`
    const found = Either.map(log.read(log.start(), Number.MAX_SAFE_INTEGER, synced), batchesIn)
    const expected = of.appended.filter(({ baseOffset }) => baseOffset >= log.start() && baseOffset < synced)
    const isSame = Either.isRight(found) && expected.every(({ bytes }, i) => Buffer.compare(bytes, found.right[i]?.bytes ?? new Uint8Array(0)) === 0)
    return isSame ? undefined : "it serves damaged bytes"
  }).pipe(Effect.scoped, Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None))

/**
 * Damages synced bytes, in the middle of a workload and after it. Recovery must find all damage when it has the recovery point; without it (a power cut may
 * leave an old one) it must find a flipped bit, which a power cut never causes.
 */
export const runDamage = async (system: System, workload: Workload, seed: number, count: number): Promise<DamageReport> => {
  const witness = await witnessOf(workload, system, seed)
  const chance = new Chance(seed)
  const report: DamageReport = { tried: 0, offline: 0, failures: [] }
  for (let i = 0; i < count; i++) {
    const at = chance.below(witness.now + 1)
    const synced = Math.max(0, ...(witness.logs[0]?.synced ?? []).filter((one) => one.at <= at).map(({ end }) => end))
    const isPointThere = chance.isTrue(0.6)
    const tree = image(witness, at, isPointThere)
    const point = tree === undefined || synced === 0 ? undefined : pointOf(tree, witness)
    const place = tree === undefined || point === undefined ? undefined : placeOf(tree, witness, synced, chance, point)
    if (tree === undefined || place === undefined) continue
    const damage: Damage = isPointThere ? chance.pick(["flip", "blank", "cut"] as const) : "flip"
    const parent = nodeAt(tree, place.path.slice(0, place.path.lastIndexOf("/"))) as Tree
    const bytes = apply(fileAt(tree, place.path) as Uint8Array, place.position, damage, chance)
    parent.set(place.path.slice(place.path.lastIndexOf("/") + 1), bytes)
    const problem = await Effect.runPromise(problemOf(system, witness, tree, place.path, synced))
    report.tried++
    if (problem === "offline") report.offline++
    else if (problem !== undefined)
      report.failures.push(`${workload.name} ${seed}, ${damage} at byte ${place.position} of ${place.path} after ${at} changes: ${problem}`)
  }
  return report
}
