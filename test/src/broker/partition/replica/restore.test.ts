import { expect, test } from "bun:test"
import { Effect, Either, Logger, LogLevel, type Scope } from "effect"
import fc from "fast-check"
import { layer as memoryLog } from "../../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../../adapters/log/memory/memory-disk.ts"
import { defaultNodeConfig, topicConfig } from "../../../../../domain/kernel/config.ts"
import { BrokerId } from "../../../../../domain/kernel/id.ts"
import { type AppendContext, decideAppend, emptyLog, evolve, type LogState } from "../../../../../domain/log/append.ts"
import { assign, RecordBatch } from "../../../../../domain/log/batch.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import { EpochStarts } from "../../../../../src/broker/partition/replica/epoch-starts.ts"
import { Replica } from "../../../../../src/broker/partition/replica/replica.ts"
import { ReplicationQuota } from "../../../../../src/broker/partition/replica/replication-quota.ts"
import { type LogConfig, LogStore } from "../../../../../src/ports/log-store.ts"
import { noPacking, sequenced } from "../../../../domain/log/make-batch.ts"
import { checksum, smallConfig, topicId } from "../../../ports/log-batches.ts"

const config = topicConfig(defaultNodeConfig, {})
const segments: LogConfig = { ...smallConfig, segmentBytesMax: 700 }
const context: AppendContext = {
  leaderEpoch: 0,
  now: 5000,
  crc32c,
  packing: noPacking,
  batchBytesMax: 1_000_000,
  segmentBytesMax: 1_000_000,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: Number.POSITIVE_INFINITY
}

/** The state of a partition that never restarts: the producers at each log end offset, and the start offsets of epochs. */
class Model {
  readonly states = new Map<number, LogState>([[0, emptyLog]])
  /** The leader epoch of the batch that ended at an offset. */
  readonly lastEpochs = new Map<number, number>()
  state: LogState = emptyLog
  epochs = new EpochStarts()
  epoch = 0
  start = 0
  synced = 0

  append(batch: RecordBatch): string {
    const decided = decideAppend(this.state, [batch], { ...context, leaderEpoch: this.epoch })
    if (Either.isLeft(decided)) return decided.left.error
    if (decided.right._tag === "Append") {
      this.state = evolve(this.state, decided.right.batch, context.now)
      this.states.set(this.state.end, this.state)
      this.lastEpochs.set(this.state.end, this.epoch)
    }
    return `${decided.right.baseOffset}`
  }
  /** Truncates the model to the log end offset after a restart. */
  cutAt(end: number): void {
    const state = this.states.get(end)
    if (state === undefined) throw new Error(`The log ends at ${end}, where no batch ended.`)
    this.state = state
    this.epochs = new EpochStarts(this.epochs.startsBefore(end))
  }
  lead(): void {
    this.epoch++
    this.epochs.note(this.epoch, this.state.end)
  }
}

interface Send {
  readonly do: "send"
  readonly id: bigint
  readonly what: "next" | "repeat" | "gap" | "newer"
  /** The batch to repeat, counted from the last one. */
  readonly back: number
  readonly count: number
}
type Step = Send | { readonly do: "sync" | "lead" } | { readonly do: "delete"; readonly share: number; readonly trims: boolean }
interface Life {
  readonly steps: ReadonlyArray<Step>
  readonly ends: "close" | "kill" | "power"
  readonly cuts: ReadonlyArray<number>
}
const send: fc.Arbitrary<Send> = fc.record({
  do: fc.constant("send" as const),
  id: fc.constantFrom(1n, 1n, 1n, 1n, 2n, 3n),
  what: fc.constantFrom<("next" | "repeat" | "gap" | "newer")[]>("next", "next", "next", "next", "repeat", "repeat", "gap", "newer"),
  back: fc.nat(6),
  count: fc.integer({ min: 1, max: 3 })
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: send },
  { weight: 1, arbitrary: fc.constantFrom<Step[]>({ do: "sync" }, { do: "lead" }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("delete" as const),
      share: fc.oneof(fc.constant(1), fc.double({ min: 0.5, max: 1, noNaN: true })),
      trims: fc.boolean()
    })
  }
)
const lives: fc.Arbitrary<ReadonlyArray<Life>> = fc.array(
  fc.record({
    steps: fc.array(step, { maxLength: 40 }),
    ends: fc.constantFrom<Life["ends"][]>("close", "kill", "power"),
    cuts: fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 4 })
  }),
  { minLength: 2, maxLength: 5 }
)

/** A producer, and the batches that it has sent. */
class Producers {
  private readonly sent = new Map<bigint, Array<{ readonly epoch: number; readonly sequence: number; readonly count: number }>>()
  next({ back, count, id, what }: Send): RecordBatch {
    const before = this.sent.get(id) ?? []
    const last = before.at(-1) ?? { epoch: 0, sequence: 0, count: 0 }
    const repeated = what === "repeat" ? before.at(-1 - back) : undefined
    if (repeated !== undefined) return sequenced(id, repeated.epoch, repeated.sequence, repeated.count)
    const following = { epoch: last.epoch, sequence: last.sequence + last.count, count }
    if (what === "gap") return sequenced(id, last.epoch, following.sequence + 1 + back, count)
    const made = what === "newer" ? { epoch: last.epoch + 1, sequence: 0, count } : following
    this.sent.set(id, [...before, made])
    return sequenced(id, made.epoch, made.sequence, made.count)
  }
}

const openOwner = (start: number, derivation: { readonly now?: number; readonly producerExpirationMs?: number } = {}) =>
  Effect.gen(function* () {
    const log = yield* (yield* LogStore).open(topicId, 0, segments)
    const options = {
      topic: "t",
      topicId,
      partition: 0,
      config,
      start,
      codecs: { crc32c, packing: noPacking },
      report: () => undefined,
      bug: (message: string): never => {
        throw new Error(message)
      },
      isReplicated: false,
      checkpointed: 0,
      replication: {
        nodeId: BrokerId.make(1),
        elapsed: () => 0,
        now: () => context.now,
        producerExpirationMs: () => Number.POSITIVE_INFINITY,
        countsUnsynced: false,
        nearTo: () => undefined,
        leaderQuota: new ReplicationQuota(
          "leader.replication.throttled.replicas",
          () => Number.MAX_SAFE_INTEGER,
          () => 0
        ),
        propose: () => undefined,
        followed: () => undefined,
        internalRoleChanged: () => undefined,
        lost: () => undefined,
        dropStart: () => Effect.void,
        logSettled: () => undefined,
        highWatermarkFell: Effect.void,
        recordsLost: () => undefined,
        faulty: () => undefined,
        isUnwritable: () => false
      }
    }
    const owner = yield* Replica.open(options, log, { now: context.now, producerExpirationMs: Number.POSITIVE_INFINITY, ...derivation })
    return { log, owner }
  })

const sameEpochs = (owner: Replica, model: Model): void => {
  for (let epoch = 0; epoch <= model.epoch + 1; epoch++)
    expect([epoch, owner.derived.epochs.endOf(epoch, owner.end())]).toEqual([epoch, model.epochs.endOf(epoch, model.state.end)])
  expect(owner.derived.lastRecordEpoch()).toBe(model.lastEpochs.get(model.state.end) ?? -1)
}

/** Runs a partition once. Each result must be that of the model, which never restarts. */
const live = (producers: Producers, model: Model, { steps }: Life) =>
  Effect.gen(function* () {
    const { owner } = yield* openOwner(model.start)
    if (owner.end() !== model.state.end) model.cutAt(owner.end())
    expect(owner.end()).toBeGreaterThanOrEqual(model.synced)
    model.lead()
    owner.becomeLeader(model.epoch)
    sameEpochs(owner, model)
    for (const step of steps) {
      if (step.do === "lead") {
        model.lead()
        owner.becomeLeader(model.epoch)
      } else if (step.do === "sync") {
        yield* owner.sync
        model.synced = owner.end()
      } else if (step.do === "delete") {
        yield* owner.sync
        model.synced = owner.end()
        model.start = Math.max(model.start, Math.floor(step.share * owner.end()))
        model.epochs.forgetBefore(model.start)
        owner.raiseStart(model.start)
        if (step.trims) yield* owner.trim
      } else if (step.do === "send") {
        const batch = producers.next(step)
        const twin = new RecordBatch(batch.bytes.slice())
        const answer = put(owner, batch)
        expect([step, answer]).toEqual([step, model.append(twin)])
      }
    }
    sameEpochs(owner, model)
  })

const run = <A, E>(disk: MemoryDisk, effect: Effect.Effect<A, E, LogStore | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(memoryLog(disk)), Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None)))

const restarts = fc.asyncProperty(lives, async (all) => {
  let disk = new MemoryDisk()
  const model = new Model()
  const producers = new Producers()
  for (const life of all) {
    const before = disk
    disk = await run(
      before,
      Effect.map(live(producers, model, life), () => {
        let used = 0
        // A kill leaves a copy of the disk. A power cut leaves this disk.
        if (life.ends === "power") before.crash((bound) => (life.cuts[used++ % life.cuts.length] as number) % bound)
        return life.ends === "kill" ? before.copy() : before
      })
    )
  }
  await run(disk, live(producers, model, { steps: [{ do: "send", id: 1n, what: "repeat", back: 0, count: 1 }], ends: "close", cuts: [0] }))
})

test(
  "L4: restarts, kills, power cuts and deletions change no response to a producer, no end offset of a leader epoch, and not the epoch of the last record",
  () => fc.assert(restarts, { numRuns: 200 }),
  300_000
)

const directory = `/data/${topicId}-0`
const derivedNames = (disk: MemoryDisk): ReadonlyArray<string> =>
  disk
    .session()
    .list(directory)
    .filter((name) => name.endsWith(".snapshot") || name.startsWith("leader"))
    .sort()
const put = (owner: Replica, batch: RecordBatch, now = context.now): string =>
  Either.match(owner.leading?.append([batch], now) ?? Either.left({ error: "nothing leads it" }), {
    onLeft: ({ error }) => error,
    onRight: ({ baseOffset }) => `${baseOffset}`
  })

/** Fifty batches of one producer under two epochs, then a clean shutdown. Everything before `deleted` is deleted. */
const written = async (deleted = 0): Promise<MemoryDisk> => {
  const disk = new MemoryDisk()
  await run(
    disk,
    Effect.gen(function* () {
      const { owner } = yield* openOwner(0)
      for (let sequence = 0; sequence < 50; sequence++) {
        if (sequence % 30 === 0) owner.becomeLeader(sequence / 30)
        expect(put(owner, sequenced(1n, 0, sequence, 1))).toBe(`${sequence}`)
        yield* owner.sync
      }
      owner.raiseStart(deleted)
      yield* owner.trim
    })
  )
  return disk
}
/** The partition's results for the last batch, the fourth from the end and the next one; and the end offset of epoch 0. */
const answers = (disk: MemoryDisk, start = 0) =>
  run(
    disk,
    Effect.gen(function* () {
      const { owner } = yield* openOwner(start)
      const ended = owner.derived.epochs.endOf(0, owner.end())?.endOffset
      owner.becomeLeader(2)
      return [put(owner, sequenced(1n, 0, 49, 1)), put(owner, sequenced(1n, 0, 46, 1)), put(owner, sequenced(1n, 0, 52, 1)), ended]
    })
  )
const same = ["49", "46", "OUT_OF_ORDER_SEQUENCE_NUMBER", 30]

test("missing, old or damaged producer snapshots and epoch checkpoints change no result: the log has everything", async () => {
  const disk = await written()
  const names = derivedNames(disk)
  expect(names.length).toBe(4)
  for (const name of names) {
    const whole = disk.contents(`${directory}/${name}`)
    for (const bytes of [new Uint8Array(0), whole.slice(0, -1), whole.map((byte, at) => (at === 7 ? byte ^ 4 : byte)), new Uint8Array(whole.length)]) {
      const damaged = disk.copy()
      damaged.overwrite(`${directory}/${name}`, bytes)
      expect([name, await answers(damaged)]).toEqual([name, same])
    }
  }
  const bare = disk.copy()
  for (const name of names) bare.session().unlink(`${directory}/${name}`)
  expect(await answers(bare)).toEqual(same)
})

test("a snapshot after the log end offset is removed, and so are old ones", async () => {
  const disk = await written()
  const session = disk.session()
  const snapshots = derivedNames(disk).filter((name) => name.endsWith(".snapshot"))
  expect(snapshots.length).toBe(3)
  expect(snapshots.at(-1)).toBe("00000000000000000050.snapshot")
  session.rename(`${directory}/${snapshots[0]}`, `${directory}/00000000000000000099.snapshot`)
  expect(await answers(disk)).toEqual(same)
  expect(derivedNames(disk)).not.toContain("00000000000000000099.snapshot")
})

test("a producer whose batches are all deleted is known from its snapshot; an older snapshot would give OUT_OF_ORDER_SEQUENCE_NUMBER", async () => {
  const disk = await written(45)
  expect(await answers(disk.copy(), 45)).toEqual(["49", "46", "OUT_OF_ORDER_SEQUENCE_NUMBER", 45])
  const [oldest = "", ...newer] = derivedNames(disk).filter((name) => name.endsWith(".snapshot"))
  const early = disk.contents(`${directory}/${oldest}`)
  for (const name of newer) disk.overwrite(`${directory}/${name}`, new Uint8Array(10))
  disk.session().rename(`${directory}/${oldest}`, `${directory}/00000000000000000007.snapshot`)
  disk.overwrite(`${directory}/00000000000000000007.snapshot`, early)
  const found = await run(
    disk,
    Effect.map(openOwner(45), ({ log }) => log.derived.snapshots.map(({ offset }) => offset))
  )
  expect(found.every((offset) => offset > 7)).toBe(true)
})

test("a producer that is idle for producer.id.expiration.ms is expired after a restart too; a restart does not extend the time", async () => {
  const disk = await written()
  const after = (now: number) =>
    run(
      disk.copy(),
      Effect.gen(function* () {
        const { owner } = yield* openOwner(0, { now, producerExpirationMs: 1000 })
        owner.becomeLeader(2)
        return put(owner, sequenced(1n, 0, 49, 1))
      })
    )
  expect(await after(context.now + 999)).toBe("49")
  expect(await after(context.now + 1000)).toBe("50")
  // This run appends nothing, and its close keeps the snapshot of the first run.
  await run(disk, openOwner(0, { now: context.now + 900, producerExpirationMs: 1000 }))
  expect(await after(context.now + 1000)).toBe("50")
})

test("a batch with another offset or epoch than the replica's is a bug, and a leader epoch never decreases", () =>
  run(
    new MemoryDisk(),
    Effect.gen(function* () {
      const { owner } = yield* openOwner(0)
      owner.becomeLeader(2)
      expect(put(owner, sequenced(1n, 0, 0, 1))).toBe("0")
      const at = (offset: number, epoch: number): RecordBatch => {
        const batch = sequenced(1n, 0, 1, 1)
        assign(batch, offset, epoch)
        return batch
      }
      expect(() => owner.write(at(0, 2), context.now)).toThrow("t-0 takes a batch at offset 0, and ends at 1.")
      expect(() => owner.write(at(1, 1), context.now)).toThrow("t-0 takes a batch of leader epoch 1 in epoch 2.")
      expect(() => owner.becomeLeader(1)).toThrow("t-0 becomes leader of epoch 1 after epoch 2.")
      expect([owner.end(), owner.highWatermark()]).toEqual([1, 1])
    })
  ))
