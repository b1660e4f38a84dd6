import { describe, expect, test } from "bun:test"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import { MemoryStreams } from "../../../../adapters/journal/memory.ts"
import { knownEventLevel, replicationEventLevel } from "../../../../domain/cluster/event-level.ts"
import { groupPartitions } from "../../../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic } from "../../../../domain/cluster/topic/name.ts"
import { streamOf } from "../../../../domain/group/groups.ts"
import { groupId } from "../../../../domain/group/id.ts"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { type Journal, LeaseOver } from "../../../../src/ports/journal.ts"
import { LogFault } from "../../../../src/ports/log-store.ts"
import { Member, offsetsOf } from "../../groups/support.ts"
import { createReplicated, ReplicatedWorld, until } from "../replication/support.ts"
import { coordinating, movedTo } from "./coordinating.ts"

/** The groups are handed over as soon as the third broker is there. */
const config: Partial<NodeConfig> = { "franz.groups.engine": "partitions", "offsets.topic.num.partitions": 2, "group.initial.rebalance.delay.ms": 0 }

const text = new TextDecoder()
const handsOver = (value: Uint8Array): boolean => text.decode(value).includes('"topic":"__group_metadata"')

type CrashPoint =
  | "before the event is written"
  | "after the event is written, before the leader knows"
  | "when the first state is read"
  | "when the second state is read"

/** A journal whose process dies within the handover: from then on it does nothing, and nothing of it is on the disk. */
class DyingJournal {
  isDead = false
  private isHandedOver = false
  private statesRead = 0
  constructor(private readonly crashPoint: CrashPoint) {}

  readonly over = (real: Journal["Type"]): Journal["Type"] => {
    const die = Effect.suspend(() => {
      this.isDead = true
      return Effect.never
    })
    const unlessDead = <A, E, R>(does: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.suspend(() => (this.isDead ? Effect.never : does))
    return {
      ...real,
      saveSnapshot: (...snapshot) => unlessDead(real.saveSnapshot(...snapshot)),
      trim: (...to) => unlessDead(real.trim(...to)),
      append: (stream, epoch, expected, entries) => {
        const append = real.append(stream, epoch, expected, entries)
        if (stream !== metadataTopic || !entries.some(({ value }) => handsOver(value))) return unlessDead(append)
        this.isHandedOver = true
        if (this.crashPoint === "before the event is written") return die
        return this.crashPoint === "after the event is written, before the leader knows" ? Effect.zipRight(append, die) : unlessDead(append)
      },
      campaign: (stream, candidate) => {
        const isDying =
          (this.crashPoint === "when the first state is read" && this.statesRead === 0) ||
          (this.crashPoint === "when the second state is read" && this.statesRead === 1)
        if (this.isHandedOver && stream !== metadataTopic && isDying) return die
        if (this.isHandedOver) this.statesRead++
        return unlessDead(real.campaign(stream, candidate))
      }
    }
  }
}

const begun = (world: ReplicatedWorld, streams: MemoryStreams, journal?: DyingJournal) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const leader = yield* Scope.extend(world.leader(config, streams, journal?.over), scope)
    return { leader, end: Scope.close(scope, Exit.void) }
  })

const handovers = (streams: MemoryStreams): number => streams.entries(metadataTopic).filter(({ value }) => handsOver(value)).length
const levelOf = (leader: RunningLeader, level: number) => leader.writer.when(({ eventLevel }) => (eventLevel === level ? true : undefined))

describe("a leader that dies while it hands its groups over", () => {
  test.each([
    "before the event is written",
    "after the event is written, before the leader knows",
    "when the first state is read",
    "when the second state is read"
  ] as const)(
    "%s: the next leader continues, groups keep members, generation and offsets, and they are handed over once",
    (crashPoint) => {
      const world = new ReplicatedWorld()
      const streams = new MemoryStreams()
      return world.run(
        Effect.gen(function* () {
          const journal = new DyingJournal(crashPoint)
          const first = yield* begun(world, streams, journal)
          for (const id of [1, 2]) yield* world.broker(id, config)
          yield* createReplicated(first.leader, [1, 2])
          // One of each stream.
          const names = ["a", "b", "c", "d"]
          const before: Array<Member> = []
          for (const [nth, name] of names.entries()) {
            const member = new Member(yield* world.link(1), name, "m", { sessionTimeoutMs: 60_000 })
            expect(yield* member.enter()).toBe(`for ${member.memberId}`)
            expect(yield* member.commit("orders", 0, 41 + nth)).toBe("NONE")
            before.push(member)
          }
          expect([first.leader.cluster().eventLevel, handovers(streams)]).toEqual([replicationEventLevel, 0])

          yield* world.broker(3, config)
          yield* until(() => journal.isDead)
          expect(handovers(streams)).toBe(crashPoint === "before the event is written" ? 0 : 1)
          yield* first.end
          const next = yield* begun(world, streams)
          yield* levelOf(next.leader, knownEventLevel)
          for (const [nth, name] of names.entries()) {
            const { to } = yield* coordinating(world, 1, name)
            const member = movedTo(before[nth] as Member, to)
            expect([yield* member.beat(), yield* offsetsOf(to, name)]).toEqual(["NONE", { "orders-0": 41 + nth }])
            expect(yield* member.commit("orders", 0, 50 + nth)).toBe("NONE")
            expect(yield* offsetsOf(to, name)).toEqual({ "orders-0": 50 + nth })
          }
          expect([groupPartitions(next.leader.cluster())?.partitions.length, handovers(streams)]).toEqual([2, 1])
          yield* next.end
        })
      )
    },
    120_000
  )
})

test("a stream whose lease was over shortly before the handover is not opened again by the leader", () => {
  const world = new ReplicatedWorld()
  const streams = new MemoryStreams()
  const lost = `__group_metadata-${streamOf(groupId("g"), 2)}`
  let isLost = false
  let taken = 0
  const losing = (real: Journal["Type"]): Journal["Type"] => ({
    ...real,
    append: (stream, epoch, ...more) =>
      isLost && stream === lost ? Effect.fail(new LeaseOver({ stream, epoch, message: "The lease is over" })) : real.append(stream, epoch, ...more),
    campaign: (stream, candidate) =>
      isLost && stream === lost
        ? Effect.fail(new LogFault({ path: stream, reason: "io", message: "Its former lease is not over yet." }))
        : Effect.tap(real.campaign(stream, candidate), () => void (taken += stream === lost ? 1 : 0))
  })
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(config, streams, losing)
      for (const id of [1, 2]) yield* world.broker(id, config)
      yield* createReplicated(leader, [1, 2])
      const before = new Member(yield* world.link(1), "g", "m", { sessionTimeoutMs: 60_000 })
      expect(yield* before.enter()).toBe(`for ${before.memberId}`)
      expect(yield* before.commit("orders", 0, 41)).toBe("NONE")
      isLost = true
      expect(yield* before.commit("orders", 0, 42)).not.toBe("NONE")
      yield* world.broker(3, config)
      yield* until(() => handovers(streams) === 1)
      isLost = false
      taken = 0
      const { to } = yield* coordinating(world, 1, "g")
      expect(yield* offsetsOf(to, "g")).toEqual({ "orders-0": 41 })
      // Longer than the next pauses before a stream is opened again.
      yield* Effect.sleep(10_000)
      // To read its state, and not to coordinate its groups.
      expect([taken, [...leader.coordinator.streams]]).toEqual([1, []])
    }).pipe(Logger.withMinimumLogLevel(LogLevel.Fatal))
  )
}, 120_000)
