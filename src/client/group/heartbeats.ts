import { Effect, Option } from "effect"
import { monotonicNow } from "../runtime/monotonic.ts"
import { within } from "../runtime/supervision.ts"
import type { MembershipHandler } from "./handler.ts"
import type { HeartbeatResult, Member, MemberAssignment } from "./member.ts"
import type { MembershipSettings } from "./options.ts"

/** How soon a heartbeat without a response is repeated, ms. */
const heartbeatRetryMs = 200

/** How often the leader of a group checks whether its topics have more partitions than it assigned, ms. */
const partitionCheckMs = 10_000

const sameCounts = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean =>
  a.size === b.size && [...a].every(([topic, count]) => b.get(topic) === count)

/** What ends an assignment. "stalled": the caller makes no progress. */
export type AssignmentEnd = HeartbeatResult | "stalled"

/** Sends heartbeats until one ends this assignment, or the caller makes no progress for `maxPollIntervalMs`. */
export const heartbeats = (
  member: Member,
  settings: MembershipSettings,
  handler: MembershipHandler,
  { counts }: MemberAssignment,
  joinedWith: ReadonlyArray<string>
): Effect.Effect<AssignmentEnd> => {
  const beating = Effect.gen(function* () {
    let aliveAt = yield* monotonicNow
    let pauseMs = settings.heartbeatIntervalMs
    for (;;) {
      handler.deliverUntil(aliveAt + settings.sessionTimeoutMs)
      const before = yield* monotonicNow
      const stalledInMs = handler.idleSince(before) + settings.maxPollIntervalMs - before
      const expiresInMs = aliveAt + settings.sessionTimeoutMs - before
      yield* handler.subscriptionChanged.waitAtMost(Math.max(0, Math.min(pauseMs, stalledInMs, expiresInMs)))
      if (handler.topics().join() !== joinedWith.join()) return "rebalance"
      const sentAt = yield* monotonicNow
      if (sentAt - handler.idleSince(sentAt) >= settings.maxPollIntervalMs) return "stalled"
      // Its own bound may be later than the end of the session.
      const response = yield* within(member.heartbeat, Math.max(0, aliveAt + settings.sessionTimeoutMs - sentAt))
      const result = Option.getOrElse(response, () => "unanswered" as const)
      // A lost heartbeat is repeated soon: the session times out meanwhile.
      pauseMs = result === "unanswered" ? Math.min(heartbeatRetryMs, settings.heartbeatIntervalMs) : settings.heartbeatIntervalMs
      // The coordinator received it between the two times. The earlier one is safe.
      if (result === "alive" || result === "rebalance") aliveAt = sentAt
      // A cooperative member delivers during the rebalance.
      if (result === "rebalance") handler.deliverUntil(aliveAt + settings.sessionTimeoutMs)
      if (result !== "alive" && result !== "unanswered") return result
      // Without a response the session may have timed out: the group may have assigned the partitions to other members,
      // which would receive the same messages.
      if (result === "unanswered" && (yield* monotonicNow) - aliveAt >= settings.sessionTimeoutMs) return "lost"
    }
  })
  return counts === undefined ? beating : Effect.raceFirst(beating, recounting(member, counts, joinedWith))
}

/**
 * Returns when the topics of an assignment have other numbers of partitions. Beside the heartbeats, since metadata may be
 * late or missing for longer than a session.
 */
const recounting = (member: Member, counts: ReadonlyMap<string, number>, joinedWith: ReadonlyArray<string>): Effect.Effect<"rebalance"> => {
  const topics = [...counts.keys(), ...joinedWith.filter((topic) => !counts.has(topic))]
  const check = Effect.map(
    Effect.option(member.countPartitions(topics)),
    Option.exists((current) => !sameCounts(current, counts))
  )
  return Effect.as(Effect.repeat(Effect.delay(check, partitionCheckMs), { until: (changed) => changed }), "rebalance")
}
