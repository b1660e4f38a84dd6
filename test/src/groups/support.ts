import { Effect, Layer, Logger, LogLevel, Random, Scope } from "effect"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compression } from "../../../adapters/compression/compression.ts"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { type RunningLeader, startLeader } from "../../../src/leader/leader.ts"
import { Journal } from "../../../src/ports/journal.ts"
import type { Address } from "../../../src/ports/transport.ts"
import { OffsetCommit } from "../../../src/protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../../src/protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../../src/protocol/message/14-sync-group.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import type { RequestDraft } from "../../../src/protocol/type/wire.ts"
import { connect, type Link } from "../../../src/wire/link.ts"
import { seed } from "../../seed.ts"
import { join as joinBroker } from "../leader/support.ts"

/** A disk and a network that outlive the leaders on them, in a time that the test lets pass. */
export class World {
  readonly clock = new VirtualClock()
  readonly disk = new MemoryDisk()
  private readonly network = new MemoryNetwork()
  private readonly platform = Layer.mergeAll(checksum, compression, this.network.layer("here"))

  /** Runs a test in virtual time, with everything that it starts stopped at the end. */
  run<A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> {
    return this.clock.run(Effect.scoped(test).pipe(Effect.withRandom(Random.make(seed)), Logger.withMinimumLogLevel(LogLevel.Fatal)))
  }
  get now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  /** A leader over the disk. */
  leader(
    config: Partial<NodeConfig> = {},
    more: { readonly knownEventLevel?: number; readonly journal?: (real: Journal["Type"]) => Journal["Type"] } = {}
  ): Effect.Effect<RunningLeader, unknown, Scope.Scope> {
    const all = { ...defaultNodeConfig, "group.initial.rebalance.delay.ms": 0, ...config }
    const { journal = (real) => real, ...options } = more
    const layerJournal = Layer.effect(Journal, Effect.map(Journal, journal)).pipe(Layer.provide(journalOverLog))
    return Effect.flatMap(Layer.build(Layer.provideMerge(layerJournal, Layer.provideMerge(memoryLog(this.disk), this.platform))), (context) =>
      Effect.provide(startLeader({ nodeId: 100 as BrokerId, config: all, listen: { host: "127.0.0.1", port: 0 }, ...options }), context)
    )
  }
  link(address: Address, clientId = "test"): Effect.Effect<Link, unknown, Scope.Scope> {
    const options = { clientId, connectTimeoutMs: 5000, requestTimeoutMs: 600_000, inFlightRequestsMax: 10, responseBytesMax: 100_000_000 }
    return Effect.provide(connect(address, options), this.platform)
  }
  member(leader: RunningLeader, group: string, name: string, more: Partial<Person> = {}): Effect.Effect<Member, unknown, Scope.Scope> {
    return Effect.map(this.link(leader.address, name), (to) => new Member(to, group, name, more))
  }
}

/** One life of a process: what `start` begins is over when `live` is. */
export const life = <A, E, B, F>(start: Effect.Effect<A, E, Scope.Scope>, live: (it: A) => Effect.Effect<B, F, Scope.Scope>): Effect.Effect<B, E | F> =>
  Effect.scoped(Effect.flatMap(start, live))

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (of: Uint8Array): string => new TextDecoder().decode(of)
export const wrong = ({ errorCode }: { readonly errorCode: number }) => kafkaError(errorCode)

interface Person {
  readonly instanceId: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: ReadonlyArray<string>
}

/** A member as a client library has it: it joins, syncs, beats and leaves when the test says so. */
export class Member {
  memberId = ""
  generation = -1
  protocol: string | null = null
  private readonly person: Person

  constructor(
    readonly to: Link,
    readonly groupId: string,
    readonly name: string,
    more: Partial<Person> = {}
  ) {
    this.person = { instanceId: null, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 60_000, protocols: ["range"], ...more }
  }

  /** One JoinGroup. */
  ask(version = 9, more: Partial<RequestDraft<typeof JoinGroup>> = {}) {
    const { instanceId, protocols, rebalanceTimeoutMs, sessionTimeoutMs } = this.person
    const request = {
      groupId: this.groupId,
      sessionTimeoutMs,
      ...(version >= 1 ? { rebalanceTimeoutMs } : {}),
      memberId: this.memberId,
      ...(version >= 5 ? { groupInstanceId: instanceId } : {}),
      protocolType: "consumer",
      protocols: protocols.map((name) => ({ name, metadata: bytes(`${this.name} speaks ${name}`) })),
      ...more
    }
    return Effect.tap(this.to.call(JoinGroup, request, { version }), (answer) => {
      if (wrong(answer) === "NONE") {
        this.generation = answer.generationId
        this.protocol = answer.protocolName
      }
      if (wrong(answer) === "NONE" || wrong(answer) === "MEMBER_ID_REQUIRED") this.memberId = answer.memberId
    })
  }
  /** Joins, with the id that it is first given. */
  join(version = 9) {
    return Effect.flatMap(this.ask(version), (answer) => (wrong(answer) === "MEMBER_ID_REQUIRED" ? this.ask(version) : Effect.succeed(answer)))
  }
  sync(assignments: ReadonlyArray<readonly [memberId: string, assignment: string]> = [], version = 5, more: Partial<RequestDraft<typeof SyncGroup>> = {}) {
    return this.to.call(
      SyncGroup,
      {
        groupId: this.groupId,
        generationId: this.generation,
        memberId: this.memberId,
        ...(version >= 3 ? { groupInstanceId: this.person.instanceId } : {}),
        ...(version >= 5 ? { protocolType: "consumer", protocolName: this.protocol } : {}),
        assignments: assignments.map(([memberId, assignment]) => ({ memberId, assignment: bytes(assignment) })),
        ...more
      },
      { version }
    )
  }
  /** Joins and syncs; the leader of the group assigns "for" and its id to each member. Returns the assignment. */
  enter() {
    return Effect.gen(this, function* () {
      const joined = yield* this.join()
      if (wrong(joined) !== "NONE") return wrong(joined)
      const given = yield* this.sync(joined.members.map(({ memberId }) => [memberId, `for ${memberId}`] as const))
      return wrong(given) === "NONE" ? text(given.assignment) : wrong(given)
    })
  }
  beat(version = 4, generation = this.generation) {
    const request = { groupId: this.groupId, generationId: generation, memberId: this.memberId }
    return Effect.map(this.to.call(Heartbeat, { ...request, ...(version >= 3 ? { groupInstanceId: this.person.instanceId } : {}) }, { version }), wrong)
  }
  leave(version = 5) {
    const { groupId, memberId } = this
    const members = [{ memberId, groupInstanceId: this.person.instanceId }]
    return this.to.call(LeaveGroup, version >= 3 ? { groupId, members } : { groupId, memberId }, { version })
  }
  commit(topic: string, partition: number, offset: number, more: Partial<RequestDraft<typeof OffsetCommit>> = {}, version = 9) {
    const request = {
      groupId: this.groupId,
      generationIdOrMemberEpoch: this.generation,
      memberId: this.memberId,
      ...(version >= 7 ? { groupInstanceId: this.person.instanceId } : {}),
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, committedOffset: BigInt(offset), committedMetadata: null }] }],
      ...more
    }
    return Effect.map(this.to.call(OffsetCommit, request, { version }), ({ topics }) => wrong(topics[0]?.partitions[0] as { errorCode: number }))
  }
}

/** Every offset that the group has, as "topic-partition" and number. */
export const offsetsOf = (to: Link, group: string) =>
  Effect.map(to.call(OffsetFetch, { groups: [{ groupId: group, topics: null }] }, { version: 9 }), ({ groups }) =>
    Object.fromEntries(
      (groups[0]?.topics ?? []).flatMap(({ name, partitions }) =>
        partitions.map(({ committedOffset, partitionIndex }) => [`${name}-${partitionIndex}`, Number(committedOffset)] as const)
      )
    )
  )

/** Registers a broker and creates topics on it. */
export const withTopics = (to: Link, ...topics: ReadonlyArray<readonly [name: string, partitions: number]>) =>
  Effect.gen(function* () {
    yield* joinBroker(to, 1)
    return yield* createTopics(to, ...topics)
  })
export const createTopics = (to: Link, ...topics: ReadonlyArray<readonly [name: string, partitions: number]>) =>
  to.call(CreateTopics, {
    topics: topics.map(([name, numPartitions]) => ({ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] })),
    timeoutMs: 1000
  })
