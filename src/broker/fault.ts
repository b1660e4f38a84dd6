import { Data } from "effect"

/** Something that this broker cannot go on from. The message says what happened and what a person can do. */
export class BrokerFault extends Data.TaggedError("BrokerFault")<{
  readonly kind: "unreadable event" | "foreign cluster" | "lost events" | "damaged data" | "storage"
  readonly message: string
}> {}
