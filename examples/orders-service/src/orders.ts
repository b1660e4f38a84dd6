import { Admin, Topic } from "comanche-franz"
import { Effect, Schema } from "effect"

export const Order = Schema.Struct({ id: Schema.NonEmptyString, customer: Schema.NonEmptyString, cents: Schema.Int })
export type Order = typeof Order.Type

/** Orders by customer: the orders of one customer are in one partition, and keep their order. */
export const orders = Topic.make("orders", { key: Schema.String, value: Order })
export const deadLetterTopic = "orders.dead"

/** Creates the topics that are missing. */
export const createTopics = Effect.gen(function* () {
  const admin = yield* Admin
  for (const topic of [orders.name, deadLetterTopic]) yield* admin.addTopic(topic, { partitions: 3 }).pipe(Effect.catchTag("TopicExists", () => Effect.void))
})
