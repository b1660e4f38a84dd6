import { Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { JoinGroup } from "../../protocol/message/11-join-group.ts"
import { Heartbeat } from "../../protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../protocol/message/14-sync-group.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import { software } from "../../wire/link/exchange.ts"
import type { Client } from "../cluster/client.ts"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { Lane } from "../connection/pool.ts"
import { type CallError, Fenced, failure, GroupRefused, type NotAuthorized } from "../error.ts"
import { retryDelayMs } from "../runtime/retry.ts"
import { within } from "../runtime/supervision.ts"
import { assign, placesOf, protocols, protocolType, subscriptionsOf, topicsOf } from "./assignment.ts"
import { type Coordinator, isElsewhere } from "./coordinator.ts"
import type { Committer } from "./offsets.ts"
import type { Membership } from "./options.ts"

/** Why a membership ends for good. */
export type MemberError = CallError | GroupRefused | Fenced | NotAuthorized

const refusals: ReadonlySet<KafkaError> = new Set<KafkaError>([
  "INCONSISTENT_GROUP_PROTOCOL",
  "INVALID_GROUP_ID",
  "INVALID_SESSION_TIMEOUT",
  "GROUP_MAX_SIZE_REACHED",
  "GROUP_AUTHORIZATION_FAILED"
])

/** What the member's heartbeat heard. "lost": the group goes on without it; "fenced": its place is another's. */
export type Pulse = "alive" | "rebalance" | "lost" | "unanswered" | "fenced"

/** The partitions of one generation. */
export interface Assigned {
  readonly places: ReadonlyArray<TopicPartition>
  /** How many partitions the topics of all members had, where this member gave them out; else undefined. */
  readonly counts: ReadonlyMap<string, number> | undefined
}

/** The least that one request waits for other members, ms. */
const waitLeastMs = 5000

type Joined = ResponseOf<typeof JoinGroup>

/** One member of a classic group: the calls of its life, and what the group gave it (its id, generation and rule). */
export class Member {
  private memberId = ""
  private generation = -1
  private had: ReadonlyArray<TopicPartition> = []

  constructor(
    private readonly client: Client,
    private readonly coordinator: Coordinator,
    private readonly options: Membership
  ) {}

  get committer(): Committer {
    return { generation: this.generation, memberId: this.memberId, instanceId: this.options.instanceId }
  }

  /** Joins and waits for its partitions, however often the round begins anew; fails only for what no repetition mends. */
  enter(topics: () => ReadonlyArray<string>): Effect.Effect<Assigned, MemberError> {
    let attempts = 0
    const again: Effect.Effect<Assigned, MemberError> = Effect.suspend(() => {
      attempts += 1
      return Effect.andThen(Effect.sleep(retryDelayMs("leadership", attempts, this.client.random.next())), round)
    })
    const round: Effect.Effect<Assigned, MemberError> = Effect.suspend(() =>
      this.join(topics()).pipe(
        Effect.flatMap((joined) => (joined === "again" ? Effect.succeed(joined) : this.sync(joined))),
        Effect.catchTags({ NotReachable: () => Effect.succeed("again" as const), RequestTimedOut: () => Effect.succeed("again" as const) }),
        Effect.flatMap((assigned) => (assigned === "again" ? again : Effect.succeed(assigned)))
      )
    )
    return round
  }

  private join(topics: ReadonlyArray<string>): Effect.Effect<Joined | "again", MemberError> {
    const { instanceId, rebalanceTimeoutMs, sessionTimeoutMs } = this.options
    const request = () => ({
      groupId: this.coordinator.group,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: instanceId,
      protocolType,
      protocols: protocols(this.options.assignors, topics, this.had, this.generation)
    })
    const ask = Effect.suspend(() => this.patiently(this.coordinator.call(JoinGroup, request(), { lane: "group", timeoutMs: this.waitTimeoutMs })))
    return Effect.gen(this, function* () {
      // A connection that was idle may be half-open, and the wait for the other members would not show it.
      yield* this.ping("group")
      let answer = yield* ask
      if (kafkaError(answer.errorCode) === "MEMBER_ID_REQUIRED") {
        // The id comes first, so that a lost answer does not leave a member behind that nobody is (KIP-394).
        this.memberId = answer.memberId
        answer = yield* ask
      }
      const error = kafkaError(answer.errorCode)
      if (error !== "NONE") return yield* this.answered(error, "Joining")
      this.memberId = answer.memberId
      this.generation = answer.generationId
      return answer
    })
  }

  private sync(joined: Joined): Effect.Effect<Assigned | "again", MemberError> {
    return Effect.gen(this, function* () {
      const leads = joined.leader === joined.memberId && !joined.skipAssignment
      const given = leads ? yield* this.giveOut(joined) : { assignments: [], counts: undefined }
      const request = {
        groupId: this.coordinator.group,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.options.instanceId,
        protocolType,
        protocolName: joined.protocolName,
        assignments: given.assignments
      }
      const answer = yield* this.patiently(this.coordinator.call(SyncGroup, request, { lane: "group", timeoutMs: this.waitTimeoutMs }))
      const error = kafkaError(answer.errorCode)
      if (error !== "NONE") return yield* this.answered(error, "The assignment")
      const places = placesOf(answer.assignment)
      if (places._tag === "Left") return yield* failure("INCONSISTENT_GROUP_PROTOCOL", `The assignment in the group '${this.coordinator.group}'`, places.left)
      this.had = places.right
      return { places: places.right, counts: given.counts }
    })
  }

  /** This member leads its group: it gives the partitions out, by the rule that the members have in common. */
  private giveOut(joined: Joined) {
    return Effect.gen(this, function* () {
      const subscriptions = subscriptionsOf(joined.members)
      const counts = yield* this.count(topicsOf(subscriptions))
      const assignments = assign(joined.protocolName ?? "", subscriptions, counts)
      if (assignments === undefined) return yield* new GroupRefused({ group: this.coordinator.group, error: "INCONSISTENT_GROUP_PROTOCOL" })
      return { assignments, counts }
    })
  }
  /** The partitions that the topics have now. Of one that does not exist nothing is given out. */
  count(topics: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, number>, CallError> {
    return Effect.map(
      this.client.metadata.refresh(topics),
      (view) => new Map(topics.flatMap((topic) => (view.topics.has(topic) ? [[topic, view.topics.get(topic)?.partitions.length ?? 0] as const] : [])))
    )
  }

  /** What an error in the course of a round means: another attempt, or the end. */
  private answered(error: KafkaError, what: string): Effect.Effect<"again", MemberError> {
    const { group } = this.coordinator
    if (error === "FENCED_INSTANCE_ID") return Effect.fail(new Fenced({ what: `The member '${this.options.instanceId}' of '${group}'`, error }))
    if (refusals.has(error)) return Effect.fail(new GroupRefused({ group, error }))
    if (isElsewhere(error)) this.coordinator.forget()
    else if (error === "UNKNOWN_MEMBER_ID") this.forgetMe()
    else if (error === "ILLEGAL_GENERATION") this.generation = -1
    else if (error !== "REBALANCE_IN_PROGRESS") return Effect.fail(failure(error, `${what} in the group '${group}'`))
    return Effect.succeed("again")
  }
  private forgetMe(): void {
    this.memberId = ""
    this.generation = -1
  }

  /** Whether the coordinator answers at all on this connection. One that does not is closed, with those beside it (see Pool.doubt). */
  private ping(lane: Lane): Effect.Effect<void, CallError> {
    const asked = this.coordinator.call(ApiVersions, software, { lane, timeoutMs: this.beatTimeoutMs })
    // A node that does not list the API has answered that it is there, when the connection was opened.
    return Effect.asVoid(Effect.catchTag(asked, "UnsupportedByCluster", () => Effect.void))
  }
  /** A call that waits for other members, as long as the coordinator answers on the connection beside it: a node that is gone without a word is noticed within a session. */
  private patiently<A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const watching = Effect.forever(Effect.andThen(Effect.sleep(this.options.heartbeatIntervalMs), Effect.ignore(this.ping("main"))))
    return Effect.raceFirst(call, watching)
  }
  /**
   * How long one request waits for other members. A member that the group knows by its id asks again, over a new connection, after a session's time: the wait for other members
   * looks the same as a connection that is dead, and a repetition takes the place of the request before it. A member without an id would join once more.
   */
  private get waitTimeoutMs(): number {
    const { rebalanceTimeoutMs, sessionTimeoutMs } = this.options
    const whole = rebalanceTimeoutMs + this.client.options.requestTimeoutMs
    return this.memberId === "" ? whole : Math.min(whole, Math.max(sessionTimeoutMs, waitLeastMs))
  }
  /** A heartbeat has its answer in this time, so that one that is lost can be repeated on another connection before the session ends. */
  private get beatTimeoutMs(): number {
    const { heartbeatIntervalMs, sessionTimeoutMs } = this.options
    return Math.max(1, Math.min(this.client.options.requestTimeoutMs, Math.floor((sessionTimeoutMs - heartbeatIntervalMs) / 2)))
  }

  /** Says that the member lives, and hears how the group is. */
  readonly beat: Effect.Effect<Pulse> = Effect.suspend(() =>
    this.coordinator.call(
      Heartbeat,
      {
        groupId: this.coordinator.group,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.options.instanceId
      },
      { timeoutMs: this.beatTimeoutMs }
    )
  ).pipe(
    Effect.match({
      onFailure: (): Pulse => "unanswered",
      onSuccess: ({ errorCode }): Pulse => {
        const error = kafkaError(errorCode)
        switch (error) {
          case "NONE":
            return "alive"
          case "REBALANCE_IN_PROGRESS":
            return "rebalance"
          case "FENCED_INSTANCE_ID":
            return "fenced"
          case "UNKNOWN_MEMBER_ID":
            this.forgetMe()
            return "lost"
          case "ILLEGAL_GENERATION":
            this.generation = -1
            return "lost"
          default:
            if (isElsewhere(error)) this.coordinator.forget()
            return "unanswered"
        }
      }
    })
  )

  /** Leaves, so that the others need not wait for the session to end. Nothing is said when it cannot be heard: the session ends by itself. */
  leave(withinMs: number): Effect.Effect<void> {
    if (this.memberId === "") return Effect.void
    const member = { memberId: this.memberId, groupInstanceId: this.options.instanceId }
    const request = { groupId: this.coordinator.group, members: [member] }
    return this.coordinator
      .call(LeaveGroup, request, { timeoutMs: withinMs, versionMin: firstWithInstances })
      .pipe((left) => within(left, withinMs), Effect.ignore, Effect.andThen(Effect.sync(() => this.forgetMe())))
  }
}

/** From this version of LeaveGroup on the request names members with their instance ids. */
const firstWithInstances = 3
