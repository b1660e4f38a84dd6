import type { Scope } from "effect"
import type { Client } from "../cluster/client.ts"
import type { Signal } from "../runtime/signal.ts"
import type { ConsumerEvents } from "./events.ts"
import type { AssignedPartitions } from "./fetch/assigned-partitions.ts"
import type { ConsumerSettings } from "./options.ts"
import type { PartitionWork } from "./partition-work.ts"
import type { Subscription } from "./subscription.ts"

/** What a consumer and its membership share. */
export interface ConsumerContext {
  readonly client: Client
  readonly settings: ConsumerSettings
  readonly subscription: Subscription
  readonly subscriptionChanged: Signal
  readonly partitions: AssignedPartitions
  readonly work: PartitionWork
  readonly events: ConsumerEvents["Type"]
  /** The scope of the consumer's fibers. */
  readonly scope: Scope.Scope
}
