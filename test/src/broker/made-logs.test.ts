import { expect, test } from "bun:test"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import fc from "fast-check"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { makeDurableDirectory } from "../../../adapters/log/disk/disk.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStoreOver } from "../../../adapters/log/store.ts"
import { type Event, PartitionPlaced, TopicAdded } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerId, TopicId } from "../../../domain/kernel/id.ts"
import { BrokerSettings } from "../../../src/broker/broker-settings.ts"
import { MadeLogs, type UnmadeSince } from "../../../src/broker/made-logs.ts"
import { OwnDirectories } from "../../../src/broker/own-directories.ts"
import { defaultLogConfig, LogFault, LogStore } from "../../../src/ports/log-store.ts"

const topicOf = (n: number): TopicId => TopicId.make(`T${String(n).padStart(19, "0")}AA`)
const logOf = (n: number) => ({ topicId: topicOf(n), partition: 0 })
const ids = [1, 2].map((id) => BrokerId.make(id)) as [BrokerId, BrokerId]

/** What a step of a life does. `round`: opens all logs that are due, as the broker does. */
const steps = fc.array(fc.constantFrom("place", "place", "round", "checkpoint"), { minLength: 1, maxLength: 6 })
const damages = fc.array(
  fc.record({ what: fc.constantFrom("lose a log", "lose a disk", "damage a note", "keep a disk offline"), disk: fc.nat(1), pick: fc.nat(30) }),
  { maxLength: 2 }
)
const lives = fc.array(
  fc.record({
    steps,
    /** After so many changes of a disk the power goes, if the life has as many. */
    changes: fc.integer({ min: 1, max: 90 }),
    disk: fc.nat(1),
    pick: fc.nat(1000),
    /** Which checkpoint of the image the life begins with; the first one is none. */
    checkpoint: fc.nat(3),
    /** An older version wrote it. */
    isOld: fc.boolean(),
    damages
  }),
  { minLength: 2, maxLength: 7 }
)
type Life = (typeof lives extends fc.Arbitrary<infer A> ? A : never)[number]

/** A broker's disks, the journal of its cluster, and what the broker has served. */
class Machine {
  readonly disks: Array<MemoryDisk>
  readonly journal: Array<Event> = []
  readonly checkpoints: Array<{ readonly index: number; readonly unmade: UnmadeSince | undefined }> = []
  readonly served = new Set<number>()
  topics = 0
  /** Disks that are offline for a life. */
  offline = new Set<number>()
  wasDamaged = false
  readonly seen = { unmade: 0, lost: 0 }
  /** What must not be. */
  readonly wrong: Array<string> = []

  constructor(count: number) {
    this.disks = Array.from({ length: count }, () => new MemoryDisk())
  }

  clusterAt(index: number): Cluster {
    return this.journal.slice(0, index).reduce(evolve, initial)
  }

  private harm({ disk, pick, what }: Life["damages"][number]): void {
    const at = disk % this.disks.length
    const one = this.disks[at] as MemoryDisk
    this.wasDamaged = true
    if (what === "keep a disk offline") {
      // The directory alone is as a lost disk until it is back.
      if (this.disks.length > 1) this.offline.add(at)
    } else if (what === "lose a disk") this.disks[at] = new MemoryDisk()
    else if (what === "damage a note") {
      const path = `/data/checkpoints/made-logs.${pick % 2}`
      const bytes = one.filesIn("/data/checkpoints", "current").get(`made-logs.${pick % 2}`)
      if (bytes !== undefined)
        one.overwrite(
          path,
          bytes.map((byte, position) => (position === bytes.length - 1 - (pick % 20) ? byte ^ 1 : byte))
        )
    } else {
      const session = one.session()
      const path = `/data/${topicOf(pick % Math.max(1, this.topics))}-0`
      if (!session.exists(path)) return
      for (const name of session.list(path)) session.unlink(`${path}/${name}`)
      session.removeDirectory(path)
    }
  }

  private store = Effect.suspend(() => {
    const places = this.disks.map((disk, at) => {
      const fault = new LogFault({ path: `/data${at}`, reason: "offline", message: "It is offline." })
      return { disk: disk.session(), root: "/data", ...(this.offline.has(at) ? { fault } : {}) }
    })
    return Effect.zipRight(
      Effect.forEach(places, ({ disk }) => makeDurableDirectory(disk, "/data")),
      makeStoreOver(places, { ...defaultStoreBounds, crowdMin: Number.POSITIVE_INFINITY })
    )
  })

  /** One process, until it stops or the power goes. */
  live(life: Life): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.make()
      yield* Effect.exit(Scope.extend(this.process(life), scope))
      for (const disk of this.disks) disk.crash((bound) => life.pick % bound)
      yield* Scope.close(scope, Exit.void)
      this.offline.clear()
      for (const one of life.damages) this.harm(one)
    }).pipe(Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None))
  }

  private process({ changes, checkpoint, disk, isOld, pick, steps }: Life) {
    return Effect.gen(this, function* () {
      this.disks[disk % this.disks.length]?.crashAfter(changes, (bound) => pick % bound)
      const store = yield* this.store
      yield* store.claim({ clusterId: "cluster", nodeId: 1 })
      const made = yield* MadeLogs.make.pipe(
        Effect.provideService(LogStore, store),
        Effect.provideService(OwnDirectories, { clusterId: "cluster", empty: [] }),
        Effect.provideService(BrokerSettings, { nodeId: 1, leader: { host: "leader", port: 9092 }, config: defaultNodeConfig })
      )
      const from = this.checkpoints.at(-checkpoint)
      let index = 0
      const fold = (to: number): void => {
        for (; index < to; index++) {
          const event = this.journal[index]
          if (event?._tag === "PartitionPlaced") made.placed(event, index)
        }
      }
      if (checkpoint > 0 && from !== undefined) {
        index = from.index
        made.resumed(from.index, isOld ? undefined : from.unmade)
        if (isOld) this.wasDamaged = true
      }
      fold(this.journal.length)
      yield* made.begin(this.clusterAt(index))
      // The broker gets no partition before it was ready once.
      yield* store.writeCheckpoint("probe", new Uint8Array(1), true)
      const open = new Set<number>()
      const round = Effect.gen(this, function* () {
        // Each topic has two events.
        const due = Array.from({ length: index / 2 }, (_, n) => n).filter((n) => !open.has(n))
        const fresh: Array<number> = []
        for (const n of due) {
          const isThere = (yield* store.list).some(({ topicId }) => topicId === topicOf(n))
          const isUnmade = made.isUnmade(logOf(n))
          if (!isThere) {
            // A log that was served is lost, whatever happened to the disks.
            if (isUnmade && this.served.has(n)) this.wrong.push(`log ${n} was served, and is called never made`)
            if (!isUnmade && !this.wasDamaged) this.wrong.push(`log ${n} was never made, and is called lost`)
            this.seen[isUnmade ? "unmade" : "lost"]++
            if (!isUnmade) continue
          }
          const log = yield* store.open(topicOf(n), 0, { ...defaultLogConfig, wasThere: !isUnmade }, isUnmade)
          if (made.needsNote(logOf(n), log.end() === 0)) {
            yield* log.sync
            fresh.push(n)
          } else this.served.add(n)
          open.add(n)
        }
        if (fresh.length === 0) return
        yield* made.note(fresh.map(logOf), () => this.clusterAt(index))
        for (const n of fresh) this.served.add(n)
      })
      for (const step of ["round", ...steps] as const) {
        // One disk alone has lost its power: it is a directory that fails, and has an older note when it is back.
        if (store.directories.some(({ fault }) => fault() !== undefined)) this.wasDamaged = true
        if (step === "place") {
          const n = this.topics++
          const topicId = topicOf(n)
          this.journal.push(
            new TopicAdded({ v: 1, topic: `topic${n}` as never, topicId, configs: {} }),
            new PartitionPlaced({ v: 1, topicId, partition: 0, replicas: ids, isr: ids, leader: BrokerId.make(1), leaderEpoch: 0 })
          )
          // The image may have it in this life, or in the next one.
          if (pick % 3 > 0) fold(this.journal.length)
        } else if (step === "checkpoint") this.checkpoints.push({ index, unmade: made.unmadeSince() })
        else yield* round
      }
    })
  }
}

const run = async (machine: Machine, all: ReadonlyArray<Life>): Promise<void> => {
  for (const life of all) await Effect.runPromise(machine.live(life))
}

test("whatever happens to the disks, and wherever the power goes, a log that was served is never called never made", async () => {
  const seen = { unmade: 0, lost: 0 }
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 }), lives, async (count, all) => {
      const machine = new Machine(count)
      await run(machine, all)
      expect(machine.wrong).toEqual([])
      seen.unmade += machine.seen.unmade
      seen.lost += machine.seen.lost
    }),
    { numRuns: 150 }
  )
  expect([seen.unmade > 20, seen.lost > 20]).toEqual([true, true])
}, 300_000)
