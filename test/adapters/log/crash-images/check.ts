import { Chunk, Effect, Either, Exit, Layer, Scope, Stream } from "effect"
import { layer as journalLayer } from "../../../../adapters/journal/over-log.ts"
import { type RecordBatch, readableBatches } from "../../../../domain/log/batch.ts"
import { offsetEntryAt, offsetEntrySize } from "../../../../domain/log/offset-index.ts"
import type { Checksum } from "../../../../src/ports/checksum.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { LogStore, type PartitionLog } from "../../../../src/ports/log-store.ts"
import { entriesTo } from "../../../../src/stream/replay.ts"
import { batchesIn } from "../../../src/ports/log-batches.ts"
import { compactedProblems } from "./compaction.ts"
import { derivedProblems } from "./derived.ts"
import { diskOver, type TraceDisk } from "./trace-disk.ts"
import { fileAt, namesIn, type Tree } from "./tree.ts"
import { journalStream } from "./workloads.ts"
import { type DocumentWitness, type LogWitness, openStore, root, type Span, type Store, scrub, type Witness } from "./world.ts"

/** The result of recovery from an image. */
interface Recovered {
  readonly problems: ReadonlyArray<string>
  /** All that recovery found, as text: the second recovery must find the same. */
  readonly found: string
  readonly trace: TraceDisk
  /** The epoch that the journal assigned, and after how many changes it was acknowledged. */
  readonly epoch: { readonly at: number; readonly epoch: number } | undefined
}

const text = new TextDecoder()
const data = root.slice(1)
const isBy = (span: Span, at: number): boolean => span.answered !== undefined && span.answered <= at

/** The documents that recovery may find: the last whose write was acknowledged, or one whose write began after it. */
const possible = <D extends Span>(all: ReadonlyArray<D>, at: number): { readonly least: number; readonly may: ReadonlyArray<D> } => {
  const least = all.findLastIndex((one) => isBy(one, at))
  return { least, may: all.filter((one, i) => i >= least && one.begun <= at) }
}

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

const readWhole = (log: PartitionLog): ReadonlyArray<RecordBatch> => {
  const all: Array<RecordBatch> = []
  for (let from = log.start(); from < log.end(); ) {
    const some = batchesIn(Either.getOrThrow(log.read(from, 5000, log.end())))
    all.push(...some)
    from = some.at(-1)?.nextOffset ?? Number.POSITIVE_INFINITY
  }
  return all
}

/** L9, and L6 through the indexes: the log holds what was appended from its start, at least all that an acknowledged sync covers. */
const logProblems = (log: PartitionLog, of: LogWitness, at: number): ReadonlyArray<string> => {
  const name = `${of.topicId}-${of.partition}`
  const synced = Math.max(0, ...of.synced.filter((one) => one.at <= at).map(({ end }) => end))
  const answeredStart = Math.max(of.start, ...of.deleted.filter((one) => isBy(one, at)).map(({ start }) => start))
  const latestStart = Math.max(of.start, ...of.deleted.filter((one) => one.begun <= at).map(({ before }) => before))
  const problems: Array<string> = []
  if (log.end() < synced) problems.push(`L9: ${name} ends at ${log.end()}, everything before ${synced} was answered as durable`)
  if (log.syncedEnd() !== log.end()) problems.push(`${name} ends at ${log.end()}, and only ${log.syncedEnd()} counts as durable`)
  if (log.start() < answeredStart || log.start() > latestStart)
    problems.push(`${name} starts at ${log.start()}, it may start between ${answeredStart} and ${latestStart}`)
  const latestEnd = Math.max(of.start, of.appended.at(-1)?.nextOffset ?? 0)
  if (log.end() > latestEnd) problems.push(`L3: ${name} ends at ${log.end()}, and nothing was appended from ${latestEnd} on`)
  if (of.compacted.some(({ begun }) => begun <= at)) return [...problems, ...compactedProblems(log, of, at)]
  const expected = of.appended.filter(({ baseOffset }) => baseOffset >= log.start() && baseOffset < log.end())
  const found = readWhole(log)
  if (found.length !== expected.length || found.some(({ bytes }, i) => !sameBytes(bytes, (expected[i] as RecordBatch).bytes)))
    problems.push(`L9: ${name} differs from what was appended from ${log.start()} to ${log.end()}`)
  for (const each of expected) {
    const there = batchesIn(Either.getOrThrow(log.read(each.lastOffset, 0, log.end())))[0]
    if (there?.baseOffset !== each.baseOffset) problems.push(`L6: ${name} gives ${there?.baseOffset} for offset ${each.lastOffset}`)
    const first = expected.find(({ maxTimestamp }) => maxTimestamp >= each.maxTimestamp)
    const timed = Either.getOrThrow(log.batchAtTime(each.maxTimestamp))
    if (timed?.baseOffset !== first?.baseOffset)
      problems.push(`L6: ${name} gives ${timed?.baseOffset} for timestamp ${each.maxTimestamp}, ${first?.baseOffset} is the first`)
  }
  return problems
}

/** L6: every entry of an offset index names a batch that starts there, and no index exists without its log. */
const indexProblems = (tree: Tree, directory: string): ReadonlyArray<string> =>
  namesIn(tree, directory).flatMap((name) => {
    if (!name.endsWith("index")) return []
    const log = fileAt(tree, `${directory}/${name.slice(0, 20)}.log`)
    if (log === undefined) return [`L6: ${directory}/${name} is an index of nothing`]
    if (name.endsWith(".timeindex")) return []
    const bytes = fileAt(tree, `${directory}/${name}`) ?? new Uint8Array(0)
    let position = 0
    const places = new Map<number, number>()
    for (const each of Either.getOrElse(readableBatches(log), () => [])) {
      places.set(position, each.lastOffset)
      position += each.bytes.length
    }
    return Array.from({ length: Math.floor(bytes.length / offsetEntrySize) }, (_, slot) => offsetEntryAt(bytes, slot, Number(name.slice(0, 20))))
      .filter((entry) => places.get(entry.position) !== entry.offset)
      .map((entry) => `L6: ${directory}/${name} says that offset ${entry.offset} is at ${entry.position}`)
  })

/** The states that the log may have after a power cut: that of its last truncation, and the one before it where that truncation was not acknowledged. */
const historiesAt = (of: LogWitness, at: number): ReadonlyArray<LogWitness> => {
  const last = of.cuts.findLastIndex(({ begun }) => begun <= at)
  const cut = of.cuts[last]
  const after: LogWitness = { ...of, ...of.cuts[last + 1]?.before }
  if (cut === undefined || isBy(cut, at)) return [after]
  return [
    { ...of, ...cut.before },
    { ...of, ...cut.left }
  ]
}

const checkLog = (store: Store, of: LogWitness, at: number, listed: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const name = `${of.topicId}-${of.partition}`
    const isListed = listed.includes(name)
    if (of.removed !== undefined && of.removed.begun <= at && !isListed) return { problems: [], found: `${name}: removed` }
    if (of.removed !== undefined && isBy(of.removed, at)) return { problems: [`L10: ${name} is back after its removal`], found: "" }
    const opened = yield* Effect.either(store.open(of.topicId, of.partition, of.config))
    if (Either.isLeft(opened)) return { problems: [`${name} is offline after a power cut: ${opened.left.message}`], found: "" }
    const log = opened.right
    const found = `${name}: ${log.start()} to ${log.end()}`
    const judged: Array<ReadonlyArray<string>> = []
    for (const one of historiesAt(of, at)) {
      const problems = yield* Effect.catchAllDefect(
        Effect.sync(() => logProblems(log, one, at)),
        (defect) => Effect.succeed([`${name} cannot be read: ${String(defect)}`])
      )
      judged.push(of.isDerived ? [...problems, ...(yield* derivedProblems(log, one))] : problems)
    }
    return { problems: judged.some((problems) => problems.length === 0) ? [] : judged.flat(), found }
  })

const checkDocument = (store: Store, name: string, all: ReadonlyArray<DocumentWitness>, at: number) =>
  Effect.map(Effect.either(store.readCheckpoint(name)), (read) => {
    if (Either.isLeft(read)) return { problems: [`checkpoint ${name}: ${read.left.message}`], found: "" }
    const [document] = read.right
    const found = document === undefined ? undefined : text.decode(document)
    const { least, may } = possible(all, at)
    const isRight = found === undefined ? least === -1 : may.some(({ value }) => value === found)
    return {
      problems: isRight ? [] : [`checkpoint ${name} is ${found?.slice(0, 40)}, ${may.map(({ value }) => value.slice(0, 20))} may be`],
      found: `${found}`
    }
  })

const checkClaim = (store: Store, { claims, directoryId }: Witness, at: number) =>
  Effect.map(Effect.either(store.claim({ clusterId: undefined, nodeId: 3 })), (read) => {
    if (Either.isLeft(read)) return { problems: [`claim: ${read.left.message}`], found: "" }
    const { least, may } = possible(claims, at)
    const isRight = (least === -1 && read.right.clusterId === undefined) || may.some(({ identity }) => identity.clusterId === read.right.clusterId)
    const id = store.directories[0]?.id()
    const isSame = directoryId === undefined || directoryId.at > at || directoryId.id === id
    return {
      problems: [...(isRight ? [] : [`the directory belongs to ${read.right.clusterId}`]), ...(isSame ? [] : [`the directory.id is ${id}`])],
      found: `${read.right.clusterId}`
    }
  })

/** Every acknowledged entry is in the journal or in the snapshot; no epoch is assigned twice; a snapshot is one that was saved. */
const checkJournal = (store: Store, { journal: seen }: Witness, at: number, now: () => number) =>
  Effect.gen(function* () {
    const held = yield* Journal
    const opened = yield* Effect.either(held.campaign(journalStream, { nodeId: 0 }))
    if (Either.isLeft(opened)) return { problems: [`the journal is offline after a power cut: ${opened.left.message}`], found: "", epoch: undefined }
    const { end, epoch, start } = opened.right
    const answeredAt = now()
    const problems: Array<string> = []
    const answered = Math.max(0, ...seen.answered.filter((one) => one.at <= at).map((one) => one.end))
    if (end < answered) problems.push(`journal: it ends at ${end}, ${answered} was answered`)
    const known = Math.max(-1, ...seen.epochs.filter((one) => one.at <= at).map((one) => one.epoch))
    if (epoch <= known) problems.push(`journal: epoch ${epoch} is given again, ${known} was given`)
    const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(entriesTo(held, journalStream, start, end))).map(({ value }) => text.decode(value))
    const expected = seen.entries.slice(start, end)
    if (entries.length !== end - start || entries.some((entry, i) => entry !== expected[i])) problems.push(`journal: other entries than those appended`)
    const snapshot = yield* held.loadSnapshot(journalStream)
    const { least, may } = possible(seen.snapshots, at)
    const value = snapshot === undefined ? undefined : text.decode(snapshot.value)
    if (value === undefined ? least !== -1 : !may.some((one) => one.value === value && one.index === snapshot?.index))
      problems.push(`journal: its snapshot is ${value?.slice(0, 30)}`)
    if (start > (snapshot?.index ?? 0)) problems.push(`journal: it starts at ${start}, its snapshot ends at ${snapshot?.index}`)
    return { problems, found: `journal: ${start} to ${end}, ${value?.slice(0, 30)}`, epoch: { at: answeredAt, epoch } }
  }).pipe(
    Effect.provide(Layer.provide(journalLayer, Layer.succeed(LogStore, store))),
    Effect.catchAll((fault) => Effect.succeed({ problems: [`journal: ${String(fault)}`], found: "", epoch: undefined }))
  )

/** Opens an image with the real recovery and compares it with what was acknowledged before the power cut, which came after `at` changes. */
export const recover = (image: Tree, witness: Witness, at: number): Effect.Effect<Recovered, never, Checksum> =>
  Effect.gen(function* () {
    const trace = diskOver(image)
    const problems: Array<string> = []
    const found: Array<string> = []
    let epoch: Recovered["epoch"]
    const scope = yield* Scope.make()
    const store = yield* Effect.either(Scope.extend(openStore(witness.system, trace.disk), scope))
    if (Either.isLeft(store)) return { problems: [`the store does not open: ${store.left.message}`], found: "", trace, epoch }
    const add = (result: { readonly problems: ReadonlyArray<string>; readonly found: string }): void => {
      problems.push(...result.problems)
      found.push(result.found)
    }
    const listed = (yield* Effect.orDie(store.right.list)).map(({ partition, topicId }) => `${topicId}-${partition}`)
    for (const of of witness.logs) add(yield* Scope.extend(checkLog(store.right, of, at, listed), scope))
    for (const [name, all] of witness.documents) add(yield* checkDocument(store.right, name, all, at))
    if (witness.claims.length > 0) add(yield* checkClaim(store.right, witness, at))
    if (witness.journal.epochs.length > 0 || witness.journal.entries.length > 0) {
      const result = yield* Scope.extend(
        checkJournal(store.right, witness, at, () => trace.ops.length),
        scope
      )
      add(result)
      epoch = result.epoch
    }
    yield* scrub(store.right)
    yield* Scope.close(scope, Exit.void)
    const tree = trace.tree()
    const names = namesIn(tree, data)
    for (const name of names) {
      const mark = fileAt(tree, `${data}/${name}/damage.json`)
      if (mark !== undefined) problems.push(`${name} is whole, and the scrub says: ${text.decode(mark)}`)
    }
    for (const name of names) problems.push(...indexProblems(tree, `${data}/${name}`))
    for (const name of names)
      for (const file of namesIn(tree, `${data}/${name}`)) if (/\.(cleaned|swap)$|^compaction\.tmp$/.test(file)) problems.push(`${name}/${file} is left`)
    for (const name of names) if (name.endsWith("-delete")) problems.push(`L10: ${name} is left`)
    return { problems, found: found.join("\n"), trace, epoch }
  })
