import { Effect } from "effect"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import { Fenced } from "../error.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import type { Signal } from "../runtime/signal.ts"
import type { Assigned, Member, MemberError, Pulse } from "./member.ts"
import type { Membership } from "./options.ts"

/** How soon a heartbeat without an answer is repeated, ms. */
const againMs = 200

/** How often the leader of a group looks whether its topics have more partitions than it gave out, ms. */
const recountMs = 10_000

/** What a consumer does in the course of its membership. */
export interface Consuming {
  /** The subscribed topics. */
  readonly topics: () => ReadonlyArray<string>
  /** Rung when the subscription has changed. */
  readonly changed: Signal
  /** Nothing more is handed out until the next assignment. */
  readonly pause: () => void
  /** Returns when everything that was handed out is processed. */
  readonly processed: Effect.Effect<void>
  /** Commits what is processed, as far as the group takes it. */
  readonly commit: Effect.Effect<void>
  /** Reads these partitions, from where the group is or from where the subscription began; then commits now and then. Runs until it is interrupted. */
  readonly read: (places: ReadonlyArray<TopicPartition>) => Effect.Effect<never, MemberError>
  /** Until this moment, ms, the group has given the partitions to nobody else; after it, it may have. */
  readonly aliveUntil: (moment: number) => void
  /** The member has no partitions because of an error that may pass, and joins again after the pause. */
  readonly troubled: (error: MemberError, pauseMs: number) => Effect.Effect<void>
  /** The partitions are not this member's any more. */
  readonly stop: () => void
}

const sameCounts = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean =>
  a.size === b.size && [...a].every(([topic, count]) => b.get(topic) === count)

/** The pause before a member joins again after an error, the first and the longest, ms. */
const pauseFirstMs = 250
const pauseMostMs = 5000

/** Whether joining again cannot help: the group, or the cluster, refuses this member as it is. */
const isFinal = (error: MemberError): boolean => {
  switch (error._tag) {
    case "GroupRefused":
    case "Fenced":
    case "NotAuthorized":
    case "UnsupportedByCluster":
      return true
    case "NotReachable":
    case "RequestTimedOut":
    case "AnswerTooLarge":
    case "KafkaFailure":
      return false
  }
}

/** Beats until something happens that ends this assignment. */
const watch = (member: Member, options: Membership, consuming: Consuming, assigned: Assigned, joinedWith: ReadonlyArray<string>): Effect.Effect<Pulse> =>
  Effect.gen(function* () {
    let aliveAt = yield* monotonicNow
    let countedAt = aliveAt
    let pauseMs = options.heartbeatIntervalMs
    for (;;) {
      consuming.aliveUntil(aliveAt + options.sessionTimeoutMs)
      yield* consuming.changed.waitAtMost(pauseMs)
      if (consuming.topics().join() !== joinedWith.join()) return "rebalance"
      const askedAt = yield* monotonicNow
      const pulse = yield* member.beat
      const now = yield* monotonicNow
      // A heartbeat that was lost is repeated soon: the session goes on meanwhile.
      pauseMs = pulse === "unanswered" ? Math.min(againMs, options.heartbeatIntervalMs) : options.heartbeatIntervalMs
      // Heard between the two moments: the earlier one is sure.
      if (pulse === "alive") aliveAt = askedAt
      // Nobody answers: by now the group may have given the partitions to others. What is handed out after this could be theirs too.
      else if (pulse !== "unanswered" || now - aliveAt > options.sessionTimeoutMs) return pulse === "unanswered" ? "lost" : pulse
      const { counts } = assigned
      if (counts !== undefined && now - countedAt > recountMs) {
        countedAt = now
        const current = yield* Effect.option(member.count([...counts.keys(), ...joinedWith.filter((topic) => !counts.has(topic))]))
        if (current._tag === "Some" && !sameCounts(current.value, counts)) return "rebalance"
      }
    }
  })

/**
 * The life of a member: join, read what it is given, and again whenever the group gives out anew. Before it joins again it stops handing out, waits until the messages in hand are
 * processed (half the rebalance timeout at most, and keeps its place alive meanwhile), and commits, so that no other member receives them. Ends only by interruption, or with an error that is final by
 * its nature (see isFinal): whatever else goes wrong, and for how long, the member joins again.
 */
export const live = (member: Member, options: Membership, consuming: Consuming): Effect.Effect<never, MemberError> => {
  const keepAlive = Effect.forever(Effect.andThen(Effect.sleep(options.heartbeatIntervalMs), member.beat))
  const release = Effect.suspend(() => {
    consuming.pause()
    return consuming.processed.pipe(Effect.raceFirst(keepAlive), Effect.timeoutOption(options.rebalanceTimeoutMs / 2), Effect.andThen(consuming.commit))
  })
  const generation = Effect.gen(function* () {
    let joinedWith: ReadonlyArray<string> = []
    const assigned = yield* member.enter(() => {
      joinedWith = consuming.topics()
      return joinedWith
    })
    const pulse = yield* Effect.raceFirst(consuming.read(assigned.places), watch(member, options, consuming, assigned, joinedWith))
    failures = 0
    if (pulse === "rebalance") yield* release
    consuming.stop()
    if (pulse === "fenced") return yield* new Fenced({ what: `The member '${options.instanceId}'`, error: "FENCED_INSTANCE_ID" })
  })
  let failures = 0
  const again = (error: MemberError): Effect.Effect<void, MemberError> => {
    if (isFinal(error)) return Effect.fail(error)
    consuming.stop()
    failures += 1
    const pauseMs = Math.min(pauseMostMs, pauseFirstMs * 2 ** Math.min(failures - 1, 16))
    return Effect.andThen(consuming.troubled(error, pauseMs), Effect.sleep(pauseMs))
  }
  return Effect.ensuring(Effect.forever(Effect.catchAll(generation, again)), Effect.sync(consuming.stop))
}
