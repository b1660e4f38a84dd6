import { Effect, Schedule } from "effect"
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
import { assign, assignedPartitions, protocols, protocolType, subscriptionsOf, topicsOf } from "./assignment.ts"
import { type Coordinator, isCoordinatorError } from "./coordinator.ts"
import type { MemberIdentity } from "./offsets.ts"
import type { MembershipSettings } from "./options.ts"

/** Why a call of the membership fails. */
export type MemberError = CallError | GroupRefused | Fenced | NotAuthorized

const refusals: ReadonlySet<KafkaError> = new Set<KafkaError>([
  "INCONSISTENT_GROUP_PROTOCOL",
  "INVALID_GROUP_ID",
  "INVALID_SESSION_TIMEOUT",
  "GROUP_MAX_SIZE_REACHED",
  "GROUP_AUTHORIZATION_FAILED"
])

/**
 * The result of a heartbeat. "lost": the group has removed the member; "fenced": another member has its instance id.
 */
export type HeartbeatResult = "alive" | "rebalance" | "lost" | "unanswered" | "fenced"

/** The assignment of one generation. */
export interface MemberAssignment {
  readonly partitions: ReadonlyArray<TopicPartition>
  /**
   * How many partitions the topics of all members had, where this member assigned them as the group's leader; else
   * undefined.
   */
  readonly counts: ReadonlyMap<string, number> | undefined
}

/** The least time that one request waits for other members, ms. */
const waitLeastMs = 5000
/** The first version of LeaveGroup that names members with their instance ids. */
const firstWithInstances = 3

const none = (): ReadonlyArray<TopicPartition> => []

type JoinGroupResponse = ResponseOf<typeof JoinGroup>

/** One member of a classic group: its calls, and its id, generation and last assignment. */
export class Member {
  private memberId = ""
  private generation = -1
  private last: ReadonlyArray<TopicPartition> = []
  /** What a cooperative member still reads while it joins. */
  private owned: () => ReadonlyArray<TopicPartition> = none
  private onLost: Effect.Effect<void> = Effect.void

  constructor(
    private readonly client: Client,
    private readonly coordinator: Coordinator,
    private readonly settings: MembershipSettings
  ) {}

  get identity(): MemberIdentity {
    return { generation: this.generation, memberId: this.memberId, instanceId: this.settings.instanceId }
  }

  /**
   * Joins the group and returns the assignment, through any number of rebalances. Fails with errors that a retry cannot
   * resolve, and with those of the cluster. `owned`: what a cooperative member still reads; `onLost` runs where the
   * group has removed the member, before it joins as a new one.
   */
  join(
    topics: () => ReadonlyArray<string>,
    owned: () => ReadonlyArray<TopicPartition> = none,
    onLost: Effect.Effect<void> = Effect.void
  ): Effect.Effect<MemberAssignment, MemberError> {
    this.owned = owned
    this.onLost = onLost
    let attempts = 0
    const again: Effect.Effect<MemberAssignment, MemberError> = Effect.suspend(() => {
      attempts += 1
      return Effect.andThen(Effect.sleep(retryDelayMs("leadership", attempts, this.client.random.next())), attempt)
    })
    const attempt: Effect.Effect<MemberAssignment, MemberError> = Effect.suspend(() =>
      this.joinGroup(topics()).pipe(
        Effect.flatMap((joined) => (joined === "again" ? Effect.succeed(joined) : this.syncGroup(joined))),
        Effect.catchTags({ NotReachable: () => Effect.succeed("again" as const), RequestTimedOut: () => Effect.succeed("again" as const) }),
        Effect.flatMap((assignment) => (assignment === "again" ? again : Effect.succeed(assignment)))
      )
    )
    return attempt
  }

  private joinGroup(topics: ReadonlyArray<string>): Effect.Effect<JoinGroupResponse | "again", MemberError> {
    const { assignors, instanceId, rebalanceTimeoutMs, sessionTimeoutMs } = this.settings
    const request = () => ({
      groupId: this.coordinator.group,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: instanceId,
      protocolType,
      protocols: protocols(assignors, topics, { last: this.last, owned: this.owned(), generation: this.generation, rack: this.settings.rack })
    })
    const call = Effect.suspend(() => this.whileReachable(this.coordinator.call(JoinGroup, request(), { lane: "group", timeoutMs: this.waitTimeoutMs })))
    return Effect.gen(this, function* () {
      // An idle connection may be half-open, which looks the same as the wait for other members.
      yield* this.ping("group")
      let response = yield* call
      if (kafkaError(response.errorCode) === "MEMBER_ID_REQUIRED") {
        // The member gets its id first, so that a lost response leaves no member behind that no client is (KIP-394).
        this.memberId = response.memberId
        response = yield* call
      }
      const error = kafkaError(response.errorCode)
      if (error !== "NONE") return yield* this.onError(error, "Joining")
      this.memberId = response.memberId
      this.generation = response.generationId
      return response
    })
  }

  private syncGroup(joined: JoinGroupResponse): Effect.Effect<MemberAssignment | "again", MemberError> {
    return Effect.gen(this, function* () {
      const isLeader = joined.leader === joined.memberId && !joined.skipAssignment
      const { assignments, counts } = isLeader ? yield* this.assignAll(joined) : { assignments: [], counts: undefined }
      const request = {
        groupId: this.coordinator.group,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.settings.instanceId,
        protocolType,
        protocolName: joined.protocolName,
        assignments
      }
      const response = yield* this.whileReachable(this.coordinator.call(SyncGroup, request, { lane: "group", timeoutMs: this.waitTimeoutMs }))
      const error = kafkaError(response.errorCode)
      if (error !== "NONE") return yield* this.onError(error, "The assignment")
      const partitions = assignedPartitions(response.assignment)
      if (partitions._tag === "Left")
        return yield* failure("INCONSISTENT_GROUP_PROTOCOL", `The assignment in the group '${this.coordinator.group}'`, partitions.left)
      this.last = partitions.right
      return { partitions: partitions.right, counts }
    })
  }

  /** This member is the group's leader: it assigns the partitions, by the assignor that the group chose. */
  private assignAll(joined: JoinGroupResponse) {
    return Effect.gen(this, function* () {
      const subscriptions = subscriptionsOf(joined.members)
      const counts = yield* this.countPartitions(topicsOf(subscriptions))
      const assignments = assign(joined.protocolName ?? "", subscriptions, counts)
      if (assignments === undefined) return yield* new GroupRefused({ group: this.coordinator.group, error: "INCONSISTENT_GROUP_PROTOCOL" })
      return { assignments, counts }
    })
  }
  /** Returns the number of partitions of each topic that exists. */
  countPartitions(topics: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, number>, CallError> {
    return Effect.map(
      this.client.metadata.refresh(topics),
      (view) => new Map(topics.flatMap((topic) => (view.topics.has(topic) ? [[topic, view.topics.get(topic)?.partitions.length ?? 0] as const] : [])))
    )
  }

  /** The consequence of an error of JoinGroup or SyncGroup: another attempt, or a failure. */
  private onError(error: KafkaError, what: string): Effect.Effect<"again", MemberError> {
    const { group } = this.coordinator
    if (error === "FENCED_INSTANCE_ID") return Effect.fail(new Fenced({ what: `The member '${this.settings.instanceId}' of '${group}'`, error }))
    if (refusals.has(error)) return Effect.fail(new GroupRefused({ group, error }))
    if (isCoordinatorError(error)) this.coordinator.forget()
    else if (error === "UNKNOWN_MEMBER_ID" || error === "ILLEGAL_GENERATION") {
      if (error === "UNKNOWN_MEMBER_ID") this.forgetId()
      else this.generation = -1
      return Effect.as(this.onLost, "again")
    } else if (error !== "REBALANCE_IN_PROGRESS") return Effect.fail(failure(error, `${what} in the group '${group}'`))
    return Effect.succeed("again")
  }
  private forgetId(): void {
    this.memberId = ""
    this.generation = -1
  }

  /**
   * Checks that the coordinator responds on this connection. If it does not, the pool closes the connection, and its
   * other silent ones (see Pool.closeSilent).
   */
  private ping(lane: Lane): Effect.Effect<void, CallError> {
    const call = this.coordinator.call(ApiVersions, software, { lane, timeoutMs: this.heartbeatTimeoutMs })
    // A node that does not list the API responded when the connection was opened.
    return Effect.asVoid(Effect.catchTag(call, "UnsupportedByCluster", () => Effect.void))
  }
  /**
   * Pings the coordinator on another connection during a call that waits for other members: a node that stops without
   * closing its connections is noticed within a session.
   */
  private whileReachable<A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const pings = Effect.schedule(Effect.ignore(this.ping("main")), Schedule.spaced(this.settings.heartbeatIntervalMs))
    return Effect.raceFirst(call, Effect.zipRight(pings, Effect.never))
  }
  /**
   * How long one request waits for other members, ms. A member with an id repeats the request over a new connection
   * after a session timeout: a half-open connection looks the same as the wait, and the coordinator replaces the
   * earlier request. A member without an id would join twice.
   */
  private get waitTimeoutMs(): number {
    const { rebalanceTimeoutMs, sessionTimeoutMs } = this.settings
    const longest = rebalanceTimeoutMs + this.client.options.requestTimeoutMs
    return this.memberId === "" ? longest : Math.min(longest, Math.max(sessionTimeoutMs, waitLeastMs))
  }
  /**
   * The time for the response to a heartbeat, ms: a lost one can be repeated on another connection before the session
   * times out.
   */
  private get heartbeatTimeoutMs(): number {
    const { heartbeatIntervalMs, sessionTimeoutMs } = this.settings
    return Math.max(1, Math.min(this.client.options.requestTimeoutMs, Math.floor((sessionTimeoutMs - heartbeatIntervalMs) / 2)))
  }

  /** Sends one heartbeat. */
  readonly heartbeat: Effect.Effect<HeartbeatResult> = Effect.suspend(() =>
    this.coordinator.call(
      Heartbeat,
      {
        groupId: this.coordinator.group,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: this.settings.instanceId
      },
      { timeoutMs: this.heartbeatTimeoutMs }
    )
  ).pipe(
    Effect.match({
      onFailure: (): HeartbeatResult => "unanswered",
      onSuccess: ({ errorCode }): HeartbeatResult => {
        const error = kafkaError(errorCode)
        switch (error) {
          case "NONE":
            return "alive"
          case "REBALANCE_IN_PROGRESS":
            return "rebalance"
          case "FENCED_INSTANCE_ID":
            return "fenced"
          case "UNKNOWN_MEMBER_ID":
            this.forgetId()
            return "lost"
          case "ILLEGAL_GENERATION":
            this.generation = -1
            return "lost"
          default:
            if (isCoordinatorError(error)) this.coordinator.forget()
            return "unanswered"
        }
      }
    })
  )

  /**
   * Leaves the group, so that it need not wait for the session timeout. Errors are ignored: the session times out by
   * itself.
   */
  leave(withinMs: number): Effect.Effect<void> {
    if (this.memberId === "") return Effect.void
    const member = { memberId: this.memberId, groupInstanceId: this.settings.instanceId }
    const request = { groupId: this.coordinator.group, members: [member] }
    return this.coordinator
      .call(LeaveGroup, request, { timeoutMs: withinMs, versionMin: firstWithInstances })
      .pipe((left) => within(left, withinMs), Effect.ignore, Effect.andThen(Effect.sync(() => this.forgetId())))
  }
}
