import { Data } from "effect"

/**
 * Why this broker stops. The message has the cause and what the operator can do. "bug": an assertion of the broker's
 * code failed.
 */
export class BrokerFault extends Data.TaggedError("BrokerFault")<{
  readonly kind: "unreadable event" | "foreign cluster" | "lost events" | "damaged data" | "storage" | "bug"
  readonly message: string
}> {}
