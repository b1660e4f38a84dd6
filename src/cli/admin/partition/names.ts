import { Effect } from "effect"
import type { AdminService } from "../../../client/admin/admin.ts"
import type { TopicPartition } from "../../../client/cluster/topic-partition.ts"
import { UnknownPartition, UnknownTopic } from "../../../client/error.ts"
import type { PartitionView } from "../../../client/metadata/view.ts"

/** A partition that a command names, with what the cluster says of it. */
export interface NamedPartition extends TopicPartition {
  readonly view: PartitionView
}

/**
 * Returns the partitions that words name: `orders-3` is a partition, `orders` all partitions of a topic. A topic whose
 * whole name is the word comes first. Each partition once. UnknownTopic or UnknownPartition for a word that names
 * neither.
 */
export const namedPartitions = (admin: AdminService, words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const topics = new Map((yield* admin.listTopics({ internal: true })).map((topic) => [topic.name, topic.partitions]))
    const named = new Map<string, NamedPartition>()
    for (const word of words) {
      const whole = topics.get(word)
      const [, topic = word, index = ""] = whole === undefined ? (/^(.+)-(\d{1,9})$/.exec(word) ?? []) : []
      const partitions = topics.get(topic)
      if (partitions === undefined) return yield* new UnknownTopic({ topic })
      const views = whole ?? partitions.filter(({ partition }) => partition === Number(index))
      if (whole === undefined && views.length === 0) return yield* new UnknownPartition({ topic, partition: Number(index), partitions: partitions.length })
      for (const view of views) named.set(`${topic}-${view.partition}`, { topic, partition: view.partition, view })
    }
    return [...named.values()]
  })
