import type { Effect } from "effect"
import { Effect as Effects } from "effect"
import { type Check, eachOnce, fields, first, listOf, name, offset, optional, partitionIndex, timeoutMs, type Wrong, yesOrNo } from "../../argument/check.ts"
import { guarded } from "../../argument/guard.ts"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import type { InvalidArgument } from "../../error.ts"
import type { AdminOptions, ChangeOptions } from "./items.ts"

export const adminOptions: Check = optional(fields<AdminOptions>({ timeoutMs: optional(timeoutMs) }))
export const changeOptions: Check = optional(fields<ChangeOptions>({ timeoutMs: optional(timeoutMs), validateOnly: optional(yesOrNo) }))

/** A list of items, none of which is named twice: one of the two results would be a guess. */
export const itemsOf =
  (check: Check, what: string, keyOf: (item: never) => string): Check =>
  (value, field) =>
    listOf(check, what, 1)(value, field) ?? eachOnce(what, keyOf)(value, field)

export const partitionFields = { topic: name, partition: partitionIndex }
const partition = fields<TopicPartition>(partitionFields)
export const partitionKey = (item: TopicPartition): string => `${item.topic}-${item.partition}`
export const partitionList: Check = itemsOf(partition, "partitions", partitionKey)
export const topicNames: Check = itemsOf(name, "topics' names", String)
/** Kafka's int64 for offsets, as a JavaScript number. */
export const anOffset = offset

/** A call whose arguments are checked before it is made. */
export const checked = <A, E>(
  call: string,
  faults: () => ReadonlyArray<Wrong | undefined>,
  make: () => Effect.Effect<A, E>
): Effect.Effect<A, E | InvalidArgument> => guarded(call, () => first(...faults()), Effects.suspend(make))
