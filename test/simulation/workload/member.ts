import { Effect, Either } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { OffsetCommit } from "../../../src/protocol/message/08-offset-commit.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../../src/protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../../src/protocol/message/14-sync-group.ts"
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "../../../src/protocol/message/consumer-protocol.ts"
import type { ResponseOf } from "../../../src/protocol/type/wire.ts"
import type { CallFault } from "../../../src/wire/fault.ts"
import type { Link } from "../../../src/wire/link.ts"
import type { Chance } from "../chance.ts"
import type { Commit, TopicPartition } from "../history.ts"
import type { Recorder } from "../recorder.ts"
import { linkTo } from "./link.ts"

interface MemberWork {
  readonly process: string
  readonly group: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly nodes: ReadonlyArray<Address>
  readonly topics: ReadonlyArray<readonly [topic: string, partitions: number]>
  readonly sessionTimeoutMs: number
  /** Offsets to commit, each once in a run, so that a reader can tell whose commit it sees. */
  readonly number: () => number
  readonly mayLeave: () => boolean
}

/** Versions that name topics by name. */
const commitVersion = 9
const protocolName = "all-in-turn"

/** What a member is: kept over a lost connection, as a client keeps it. */
interface Self {
  memberId: string
  generation: number
  places: ReadonlyArray<TopicPartition>
}
/** The answer was an error of Kafka's. */
class Answered {
  readonly _tag = "Answered"
  constructor(readonly error: KafkaError) {}
}
type Fault = CallFault | Answered
const expectNone = (code: number): Effect.Effect<void, Answered> => {
  const error = kafkaError(code)
  return error === "NONE" ? Effect.void : Effect.fail(new Answered(error))
}

/** A member of a group that speaks the protocol itself: it says which generation it means, also when that is long over. */
export const beingMember = (work: MemberWork): Effect.Effect<never, never, Transport> => {
  const self: Self = { memberId: "", generation: -1, places: [] }
  const connected = Effect.gen(function* () {
    const link = yield* linkTo(work.chance.pick(work.nodes), work.process)
    return yield* Effect.forever(round(work, self, link))
  })
  return Effect.forever(
    Effect.catchAll(Effect.scoped(connected), (fault) =>
      Effect.zipRight(
        Effect.sync(() => heard(self, fault)),
        Effect.sleep(100)
      )
    )
  )
}

/** An error that says that the group has forgotten this member. */
const heard = (self: Self, fault: unknown): void => {
  if (fault instanceof Answered && fault.error === "UNKNOWN_MEMBER_ID") {
    self.memberId = ""
    self.generation = -1
  }
}

/** From joining to the next rebalance. */
const round = (work: MemberWork, self: Self, link: Link): Effect.Effect<void, Fault> =>
  Effect.gen(function* () {
    yield* enter(work, self, link)
    const { chance, group } = work
    for (;;) {
      yield* Effect.sleep(chance.between(50, 400))
      if (self.places.length > 0 && chance.isTrue(0.6)) yield* Effect.catchTag(commitSome(work, self, link), "Answered", () => Effect.void)
      const { errorCode } = yield* link.call(Heartbeat, { groupId: group, generationId: self.generation, memberId: self.memberId })
      if (kafkaError(errorCode) === "REBALANCE_IN_PROGRESS") return
      yield* expectNone(errorCode)
      if (work.mayLeave() && chance.isTrue(0.02)) return yield* leave(work, self, link)
    }
  })

const leave = ({ chance, group, process, recorder }: MemberWork, self: Self, link: Link): Effect.Effect<void, Fault> =>
  Effect.gen(function* () {
    recorder.say(`${process} leaves ${group}`)
    yield* link.call(LeaveGroup, { groupId: group, members: [{ memberId: self.memberId }] }, { version: 3 })
    self.memberId = ""
    yield* Effect.sleep(chance.between(0, 1000))
  })

const enter = (work: MemberWork, self: Self, link: Link): Effect.Effect<void, Fault> =>
  Effect.gen(function* () {
    const { group, process, recorder, sessionTimeoutMs, topics } = work
    const metadata = encodeSubscription({ topics: topics.map(([topic]) => topic) })
    const join = Effect.suspend(() =>
      link.call(
        JoinGroup,
        {
          groupId: group,
          sessionTimeoutMs,
          rebalanceTimeoutMs: sessionTimeoutMs * 2,
          memberId: self.memberId,
          protocolType: "consumer",
          protocols: [{ name: protocolName, metadata }]
        },
        { timeoutMs: sessionTimeoutMs * 4 }
      )
    )
    let joined = yield* join
    if (kafkaError(joined.errorCode) === "MEMBER_ID_REQUIRED") {
      self.memberId = joined.memberId
      joined = yield* join
    }
    yield* expectNone(joined.errorCode)
    self.memberId = joined.memberId
    self.generation = joined.generationId
    const assignments = joined.leader === joined.memberId ? shares(work, joined) : []
    const synced = yield* link.call(
      SyncGroup,
      { groupId: group, generationId: self.generation, memberId: self.memberId, protocolType: "consumer", protocolName, assignments },
      { timeoutMs: sessionTimeoutMs * 4 }
    )
    yield* expectNone(synced.errorCode)
    self.places = placesOf(synced.assignment)
    recorder.say(`${process} is ${self.memberId.slice(-6)} in generation ${self.generation} of ${group} with ${self.places.length} partitions`)
  })

const placesOf = (assignment: Uint8Array): ReadonlyArray<TopicPartition> =>
  Either.getOrElse(decodeAssignment(assignment), () => ({ assignedPartitions: [] })).assignedPartitions.flatMap(({ partitions, topic }) =>
    partitions.map((partition) => ({ topic, partition }))
  )

/** Every partition of what is subscribed, to the members in turn. */
const shares = ({ topics }: MemberWork, { members }: ResponseOf<typeof JoinGroup>) => {
  const wanted = new Set(members.flatMap(({ metadata }) => Either.getOrUndefined(decodeSubscription(metadata))?.topics ?? []))
  const places = topics.flatMap(([topic, count]) => (wanted.has(topic) ? Array.from({ length: count }, (_, partition) => ({ topic, partition })) : []))
  return members.map(({ memberId }, nth) => ({
    memberId,
    assignment: encodeAssignment({
      assignedPartitions: places.filter((_, at) => at % members.length === nth).map(({ partition, topic }) => ({ topic, partitions: [partition] }))
    })
  }))
}

/** Commits one offset; now and then in the name of a generation or of a member that is not the current one, which must not be taken. */
const commitSome = (work: MemberWork, self: Self, link: Link): Effect.Effect<void, Fault> =>
  Effect.suspend(() => {
    const { chance, group, number } = work
    const trick = chance.below(10)
    const commit: Commit = {
      group,
      ...chance.pick(self.places),
      memberId: trick === 0 ? "" : self.memberId,
      generation: trick === 0 ? -1 : trick === 1 ? self.generation - 1 : self.generation,
      offset: number()
    }
    return sendCommit(work, link, commit)
  })

const sendCommit = ({ process, recorder }: MemberWork, link: Link, commit: Commit): Effect.Effect<void, Fault> =>
  Effect.gen(function* () {
    const { generation, group, memberId, offset, partition, topic } = commit
    const complete = recorder.invoke(recorder.commits, process, commit)
    const answer = yield* link.call(
      OffsetCommit,
      {
        groupId: group,
        generationIdOrMemberEpoch: generation,
        memberId,
        topics: [{ name: topic, partitions: [{ partitionIndex: partition, committedOffset: BigInt(offset), committedMetadata: "" }] }]
      },
      { version: commitVersion }
    )
    const error = kafkaError(answer.topics[0]?.partitions[0]?.errorCode ?? -1)
    recorder.say(`${process} commits ${topic}-${partition}@${offset} in generation ${generation}: ${error}`)
    complete(error === "NONE" ? { _tag: "ok", value: undefined } : { _tag: "fail", error })
    if (error === "UNKNOWN_MEMBER_ID" && memberId !== "") return yield* Effect.fail(new Answered(error))
  })
