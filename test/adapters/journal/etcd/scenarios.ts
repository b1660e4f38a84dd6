import { expect } from "bun:test"
import { Chunk, Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import type { EtcdClient, Txn } from "../../../../adapters/journal/etcd/client.ts"
import { SimulatedEtcd } from "../../../../adapters/journal/etcd/simulated.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { entriesTo } from "../../../../src/stream/replay.ts"
import { candidate, entry, readAll, stream } from "../../../src/ports/journal.contract.ts"
import { leaseMs, process, processLayer, type Service } from "./support.ts"

/** How a client is changed by a mistake that is planted. */
export type Mistake = (client: EtcdClient) => EtcdClient

const base = `/franz/${stream}`
const isAppend = ({ then }: Txn): boolean => then.some((operation) => "put" in operation && operation.put.startsWith(`${base}/e/`))
const isPart = ({ then }: Txn): boolean => then.some((operation) => "put" in operation && operation.put.startsWith(`${base}/p/`))

const ids = (journal: Service) => Effect.map(readAll(journal, 0), (found) => found.map(({ commandId, index }) => `${index} ${commandId}`))
/** What another process reads, whatever the leader believes. */
const stored = (journal: Service, end: number) =>
  Effect.map(Stream.runCollect(entriesTo(journal, stream, 0, end)), (found) => Chunk.toReadonlyArray(found).map(({ commandId }) => commandId))

type Scenario = (etcd: SimulatedEtcd, mistake: Mistake) => Effect.Effect<void, unknown, Scope.Scope>

/** One leader and an append that meets `fault`; the entry is in the stream once, and the next append follows it. */
const once =
  (fault: "lost" | "unanswered" | "twice" | "late"): Scenario =>
  (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch } = yield* journal.campaign(stream, candidate)
      yield* journal.append(stream, epoch, 0, [entry(0)])
      etcd.fault(isAppend, fault)
      yield* journal.append(stream, epoch, 1, [entry(1)])
      yield* Effect.sleep(2 * etcd.lateMs)
      yield* journal.append(stream, epoch, 2, [entry(2)])
      expect(yield* ids(journal)).toEqual(["0 command-0", "1 command-1", "2 command-2"])
    })

export const scenarios: Readonly<Record<string, Scenario>> = {
  "an append that is lost is written once": once("lost"),
  "an append whose answer is lost is written once": once("unanswered"),
  "an append that arrives twice is written once": once("twice"),
  "an append that arrives late is written once": once("late"),

  "M5: a leader that sleeps for 60 s with an append under way changes nothing after its successor": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const old = yield* a.campaign(stream, candidate)
      yield* a.append(stream, old.epoch, 0, [entry(0)])
      etcd.lateMs = 20_000
      etcd.fault(isAppend, "late")
      const late = yield* Effect.fork(Effect.either(a.append(stream, old.epoch, 1, [entry(1)])))
      yield* Effect.sleep(10)
      etcd.stop("a")
      const next = yield* b.campaign(stream, candidate)
      expect([next.end, next.epoch]).toEqual([1, old.epoch + 1])
      yield* Effect.sleep(60_000)
      yield* b.append(stream, next.epoch, 1, [entry(2)])
      etcd.resume("a")
      expect(yield* Fiber.join(late)).toMatchObject({ _tag: "Left" })
      expect((yield* Effect.flip(a.append(stream, old.epoch, 1, [entry(3)])))._tag).toMatch(/Fenced|LeaseOver/)
      yield* Effect.flip(old.lost)
      expect(yield* stored(b, 2)).toEqual(["command-0", "command-2"])
      expect(yield* stored(a, 2)).toEqual(["command-0", "command-2"])
    }),

  "M4: an append that was answered with 'nothing was written' does not appear later": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch } = yield* journal.campaign(stream, candidate)
      etcd.fault(isAppend, "late")
      etcd.fault(isAppend, "full")
      expect(yield* Effect.flip(journal.append(stream, epoch, 0, [entry(0)]))).toMatchObject({ _tag: "NotWritten", cause: { reason: "full" } })
      yield* Effect.sleep(2 * etcd.lateMs)
      yield* journal.append(stream, epoch, 0, [entry(1)])
      expect(yield* ids(journal)).toEqual(["0 command-1"])
    }),

  "M5: a put over the leader's key fences, though it keeps the key's create revision": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch, lost } = yield* journal.campaign(stream, candidate)
      etcd.overwrite(`${base}/state/epoch`, new TextEncoder().encode(String(epoch + 1)))
      etcd.overwrite(`${base}/state/leader`, new TextEncoder().encode("{}"))
      expect(yield* Effect.flip(journal.append(stream, epoch, 0, [entry(0)]))).toMatchObject({ _tag: "Fenced", newerEpoch: epoch + 1 })
      expect(yield* Effect.flip(lost)).toMatchObject({ _tag: "Fenced" })
      expect(etcd.under(`${base}/e/`)).toEqual([])
    }),

  "without a majority for 30 s the leader stops with its lease, and a candidate leads when there is one again": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const old = yield* a.campaign(stream, candidate)
      yield* a.append(stream, old.epoch, 0, [entry(0)])
      const standby = yield* Effect.fork(b.campaign(stream, candidate))
      yield* Effect.sleep(1000)
      etcd.hasQuorum = false
      const from = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const under = yield* Effect.fork(Effect.flip(a.append(stream, old.epoch, 1, [entry(1)])))
      expect((yield* Effect.flip(old.lost))._tag).toBe("LeaseOver")
      expect((yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - from).toBeLessThanOrEqual(leaseMs)
      expect(old.isHeld()).toBe(false)
      // The process stands by afterwards: its lease is over, and its journal is not damaged.
      expect(yield* Fiber.join(under)).toMatchObject({ _tag: "Unknown", cause: { _tag: "LeaseOver" } })
      yield* Effect.sleep(30_000)
      etcd.hasQuorum = true
      const next = yield* Fiber.join(standby)
      yield* b.append(stream, next.epoch, 1, [entry(2)])
      expect(yield* stored(b, 2)).toEqual(["command-0", "command-2"])
    }),

  "a stream that is read while etcd is out of reach is read when it is there again": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const { epoch } = yield* a.campaign(stream, candidate)
      yield* a.append(stream, epoch, 0, [entry(0)])
      expect(yield* stored(b, 1)).toEqual(["command-0"])
      etcd.hasQuorum = false
      const read = yield* Effect.fork(stored(b, 1))
      yield* Effect.sleep(30_000)
      etcd.hasQuorum = true
      expect(yield* Fiber.join(read)).toEqual(["command-0"])
    }),

  "a leader that gives its leadership up is none from then on, however long that takes in etcd": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const scope = yield* Scope.make()
      const { epoch, isHeld } = yield* Scope.extend(journal.campaign(stream, candidate), scope)
      etcd.delayMs = () => 500
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.sleep(10)
      expect(isHeld()).toBe(false)
      expect((yield* Effect.flip(journal.append(stream, epoch, 0, [entry(0)])))._tag).not.toBe("Unknown")
      yield* Fiber.join(closing)
      expect(etcd.under(`${base}/state/leader`)).toEqual([])
    }),

  "a leader outlives an election of etcd, which takes 2.2 s, whenever it begins": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch, isHeld } = yield* journal.campaign(stream, candidate)
      for (let n = 0; n < 7; n++) {
        yield* Effect.sleep(5000 + 200 * n)
        etcd.hasQuorum = false
        yield* Effect.sleep(2200)
        etcd.hasQuorum = true
        yield* Effect.sleep(1900)
        expect(isHeld()).toBe(true)
        yield* journal.append(stream, epoch, n, [entry(n)])
      }
    }),

  "a campaign that is interrupted while its copy is compared with an etcd out of reach begins again": (etcd, mistake) =>
    Effect.gen(function* () {
      const disk = new MemoryDisk()
      const start = Effect.map(Layer.build(processLayer(mistake(etcd.client("a")), "/franz", disk)), (context) => Context.get(context, Journal))
      const before = Effect.gen(function* () {
        const journal = yield* start
        const { epoch } = yield* journal.campaign(stream, candidate)
        yield* journal.append(stream, epoch, 0, [entry(0)])
      })
      yield* Effect.scoped(before)
      const journal = yield* start
      etcd.hasQuorum = false
      const waiting = yield* Effect.fork(Effect.scoped(journal.campaign(stream, candidate)))
      yield* Effect.sleep(5000)
      yield* Fiber.interrupt(waiting)
      etcd.hasQuorum = true
      const { end, epoch } = yield* journal.campaign(stream, candidate)
      yield* journal.append(stream, epoch, end, [entry(1)])
      expect(yield* ids(journal)).toEqual(["0 command-0", "1 command-1"])
    }),

  "a leader whose timers do not run knows by the clock that its lease is over": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const real = yield* Effect.clock
      let passedMs = 0
      // The process was stopped: the clock continued, and no timer has fired yet.
      const unsafeCurrentTimeNanos = () => real.unsafeCurrentTimeNanos() + BigInt(passedMs) * 1_000_000n
      const { epoch, isHeld } = yield* Effect.withClock(journal.campaign(stream, candidate), Object.assign(Object.create(real), { unsafeCurrentTimeNanos }))
      passedMs = leaseMs - 1
      expect(isHeld()).toBe(true)
      passedMs = leaseMs
      expect(isHeld()).toBe(false)
      expect((yield* Effect.flip(journal.append(stream, epoch, 0, [entry(0)])))._tag).toBe("LeaseOver")
      expect(etcd.under(`${base}/e/`)).toEqual([])
    }),

  "a standby follows, also while watches are silent and after they were cancelled": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const { epoch } = yield* a.campaign(stream, candidate)
      const seen: Array<string> = []
      yield* Effect.forkScoped(Stream.runForEach(b.follow(stream, 0), ({ commandId }) => Effect.sync(() => seen.push(commandId))))
      yield* a.append(stream, epoch, 0, [entry(0)])
      yield* Effect.sleep(10)
      expect(seen).toEqual(["command-0"])
      yield* etcd.cancelWatches
      yield* Effect.sleep(500)
      yield* a.append(stream, epoch, 1, [entry(1)])
      yield* Effect.sleep(100)
      expect(seen).toEqual(["command-0", "command-1"])
      etcd.isHanging = true
      yield* a.append(stream, epoch, 2, [entry(2)])
      yield* Effect.sleep(5000)
      expect(seen).toEqual(["command-0", "command-1", "command-2"])
    }),

  "a full store refuses an append, and the leader continues when there is room": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch } = yield* journal.campaign(stream, candidate)
      etcd.isFull = true
      expect(yield* Effect.flip(journal.append(stream, epoch, 0, [entry(0)]))).toMatchObject({ _tag: "NotWritten", cause: { reason: "full" } })
      yield* Effect.sleep(60_000)
      etcd.isFull = false
      yield* journal.append(stream, epoch, 0, [entry(0)])
      expect(yield* ids(journal)).toEqual(["0 command-0"])
    }),

  "M4: an append that fills the store, which etcd does and answers as refused, is not answered with 'nothing was written'": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch } = yield* journal.campaign(stream, candidate)
      etcd.fault(isAppend, "overfull")
      yield* journal.append(stream, epoch, 0, [entry(0)])
      etcd.fault(isPart, "overfull")
      expect(yield* Effect.flip(journal.append(stream, epoch, 1, [entry(1, 3_000_000)]))).toMatchObject({ _tag: "NotWritten", cause: { reason: "full" } })
      yield* journal.append(stream, epoch, 1, [entry(2)])
      expect(yield* ids(journal)).toEqual(["0 command-0", "1 command-2"])
    }),

  "an append of 3 MB is in parts, whatever happens to one of them; parts without a head are removed by the next leader": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const old = yield* a.campaign(stream, candidate)
      for (const [n, fault] of (["lost", "unanswered", "late"] as const).entries()) {
        etcd.fault(isPart, fault)
        yield* a.append(stream, old.epoch, n, [entry(n, 3_000_000)])
      }
      expect(etcd.under(`${base}/p/`)).toHaveLength(9)
      expect((yield* stored(b, 3)).length).toBe(3)
      etcd.fault(isAppend, "lost")
      const under = yield* Effect.fork(Effect.ignore(a.append(stream, old.epoch, 3, [entry(3, 3_000_000)])))
      yield* Effect.sleep(100)
      etcd.stop("a")
      expect(etcd.under(`${base}/p/`)).toHaveLength(12)
      expect((yield* b.campaign(stream, candidate)).end).toBe(3)
      expect(etcd.under(`${base}/p/`)).toHaveLength(9)
      yield* Fiber.interruptFork(under)
      etcd.resume("a")
    }),

  "a part that arrives late does not change a later append of the same index": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const { epoch } = yield* a.campaign(stream, candidate)
      etcd.fault(isPart, "late")
      etcd.fault(isAppend, "full")
      expect(yield* Effect.flip(a.append(stream, epoch, 0, [entry(0, 3_000_000)]))).toMatchObject({ _tag: "NotWritten" })
      yield* a.append(stream, epoch, 0, [entry(1, 3_000_000)])
      yield* Effect.sleep(2 * etcd.lateMs)
      expect(yield* stored(b, 1)).toEqual(["command-1"])
    }),

  "M2: a snapshot of 2.5 MB is in parts, and the one before it is a spare": (etcd, mistake) =>
    Effect.gen(function* () {
      const [a, b] = [yield* process(mistake(etcd.client("a"))), yield* process(mistake(etcd.client("b")))]
      const { epoch } = yield* a.campaign(stream, candidate)
      const value = (n: number) => new Uint8Array(2_500_000).map((_, at) => (at * n) & 0xff)
      for (const n of [1, 2, 3]) {
        yield* a.append(stream, epoch, n - 1, [entry(n)])
        yield* a.saveSnapshot(stream, { index: n, value: value(n) })
      }
      expect(yield* b.loadSnapshot(stream)).toEqual({ index: 3, value: value(3) })
      expect(etcd.under(`${base}/s/`)).toHaveLength(6)
      const newest = etcd.under(`${base}/s/3-`)[0] ?? ""
      etcd.overwrite(newest, new Uint8Array(1_000_000))
      expect(yield* b.loadSnapshot(stream)).toEqual({ index: 2, value: value(2) })
      etcd.overwrite(etcd.under(`${base}/s/2-`)[0] ?? "", undefined)
      expect(yield* Effect.flip(b.loadSnapshot(stream))).toMatchObject({ reason: "corrupt" })
    }),

  "a store that was restored from an older backup stops those who know more": (etcd, mistake) =>
    Effect.gen(function* () {
      const journal = yield* process(mistake(etcd.client("a")))
      const { epoch, lost } = yield* journal.campaign(stream, candidate)
      yield* journal.append(stream, epoch, 0, [entry(0)])
      yield* journal.append(stream, epoch, 1, [entry(1)])
      etcd.overwrite(`${base}/e/${"1".padStart(16, "0")}`, undefined)
      etcd.overwrite(`${base}/state/head`, new TextEncoder().encode("1"))
      const fault = yield* Effect.flip(lost)
      expect(fault).toMatchObject({ _tag: "LogFault", reason: "corrupt" })
      expect(fault.message).toContain("older backup")
    })
}
