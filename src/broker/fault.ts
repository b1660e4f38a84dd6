import { Data, Effect } from "effect"

/**
 * Why this broker stops. The message has the cause and what the operator can do. "bug": an assertion of the broker's
 * code failed.
 */
export class BrokerFault extends Data.TaggedError("BrokerFault")<{
  readonly kind: "unreadable event" | "foreign cluster" | "lost events" | "damaged data" | "storage" | "bug" | "refused id"
  readonly message: string
}> {}

/**
 * The leader answered with an error that may pass: the broker retries after a pause. The message is a log line for the
 * operator.
 */
export class LeaderRefused extends Data.TaggedError("LeaderRefused")<{ readonly message: string }> {}

export const leaderRefused = (message: string): Effect.Effect<never, LeaderRefused> => Effect.fail(new LeaderRefused({ message }))
