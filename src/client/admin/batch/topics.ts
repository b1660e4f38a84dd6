import { Effect, Either } from "effect"
import { zeroTopicId } from "../../../../domain/kernel/id.ts"
import { CreateTopics } from "../../../protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../protocol/message/20-delete-topics.ts"
import { CreatePartitions } from "../../../protocol/message/37-create-partitions.ts"
import { type Check, either, fields, listOf, name, optional, settings, text, whole } from "../../argument/check.ts"
import type { Client } from "../../cluster/client.ts"
import { failure, type InvalidArgument } from "../../error.ts"
import type { TopicView } from "../../metadata/view.ts"
import { commandId, type TopicAdded, type TopicOptions } from "../../topic/administration.ts"
import { adminOptions, changeOptions, checked, itemsOf, topicNames } from "./arguments.ts"
import { type AdminOptions, type ChangeOptions, type ItemResults, missing, nodeTimeoutOf, perItem, resultOf, together } from "./items.ts"

/** A topic to create. */
export interface NewTopic extends TopicOptions {
  readonly topic: string
  /** The brokers of each partition, the preferred leader first. Excludes `partitions` and `replicationFactor`. */
  readonly assignments?: ReadonlyArray<ReadonlyArray<number>>
}
/** A topic by its name, or by its id. */
export type TopicReference = string | { readonly topicId: string }
/** More partitions for a topic. */
export interface NewPartitions {
  readonly topic: string
  /** The number of partitions afterwards. */
  readonly total: number
  /** The brokers of each new partition. Default: the cluster chooses. */
  readonly assignments?: ReadonlyArray<ReadonlyArray<number>>
}

export interface TopicsAdmin {
  /** Creates topics. With `validateOnly` the result is what would be created. */
  readonly createTopics: (topics: ReadonlyArray<NewTopic>, options?: ChangeOptions) => Effect.Effect<ItemResults<string, TopicAdded>, InvalidArgument>
  /** Deletes topics and all their messages. By id it is certain that no new topic of the same name is deleted. */
  readonly deleteTopics: (topics: ReadonlyArray<TopicReference>, options?: AdminOptions) => Effect.Effect<ItemResults<TopicReference, void>, InvalidArgument>
  /** Adds partitions to topics. Keys may change their partition. */
  readonly createPartitions: (topics: ReadonlyArray<NewPartitions>, options?: ChangeOptions) => Effect.Effect<ItemResults<string, void>, InvalidArgument>
  /** The partitions of topics with their leaders and replicas. */
  readonly describeTopics: (topics: ReadonlyArray<string>, options?: AdminOptions) => Effect.Effect<ItemResults<string, TopicView>, InvalidArgument>
}

const brokers = listOf(whole(0), "brokers' ids", 1)
const assignments: Check = listOf(brokers, "the brokers of each partition", 1)
const newTopicFields = fields<NewTopic>({
  topic: name,
  partitions: optional(whole(1)),
  replicationFactor: optional(whole(1, 0x7fff)),
  configs: optional(settings),
  assignments: optional(assignments)
})
const newTopic: Check = (value, field) => {
  const wrong = newTopicFields(value, field)
  const { assignments: given, partitions, replicationFactor } = (value ?? {}) as Partial<NewTopic>
  const isBoth = given !== undefined && (partitions !== undefined || replicationFactor !== undefined)
  return wrong ?? (isBoth ? { field: `${field}.assignments`, given, allowed: "assignments without partitions and replicationFactor" } : undefined)
}
const newTopics = itemsOf(newTopic, "topics", ({ topic }: NewTopic) => topic)
const newPartitions = itemsOf(
  fields<NewPartitions>({ topic: name, total: whole(1), assignments: optional(assignments) }),
  "topics",
  ({ topic }: NewPartitions) => topic
)
/** A UUID in Kafka's form: 22 characters of base64url. */
const topicId: Check = (value, field) =>
  typeof value === "string" && /^[A-Za-z0-9_-]{22}$/.test(value) ? undefined : { field, given: value, allowed: "a topic's id, 22 characters" }
const idOf = (topic: TopicReference): string => (typeof topic === "string" ? topic : `id ${topic.topicId}`)
const references = itemsOf(either(text(249), fields<{ topicId: string }>({ topicId })), "topics' names or ids", idOf)

/** The tags of a command are the same while the request is, so that the leader recognises a retry. */
const commandTags = <K>(client: Client, all: ReadonlyArray<K>) => {
  const tags = commandId(client)
  return (pending: ReadonlyArray<K>) => ({ tags: pending.length === all.length ? tags : commandId(client) })
}

const createTopics = (client: Client, topics: ReadonlyArray<NewTopic>, options: ChangeOptions | undefined) => {
  const tags = commandTags(client, topics)
  const attempt = together((pending: ReadonlyArray<NewTopic>) => {
    const drafts = pending.map(({ assignments: given = [], configs = {}, partitions, replicationFactor, topic }) => ({
      name: topic,
      numPartitions: partitions ?? -1,
      replicationFactor: replicationFactor ?? -1,
      assignments: given.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] })),
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    }))
    const request = { topics: drafts, timeoutMs: nodeTimeoutOf(client, options), validateOnly: options?.validateOnly ?? false }
    return Effect.map(client.callController(CreateTopics, request, tags(pending)), (response) => {
      const found = new Map(response.topics.map((one) => [one.name, one]))
      return pending.map(({ topic }) => {
        const one = found.get(topic)
        if (one === undefined) return missing(`'${topic}'`)
        client.metadata.forget(topic)
        return resultOf(one.errorCode, `'${topic}'`, one.errorMessage, { topic, topicId: one.topicId, partitions: one.numPartitions })
      })
    })
  })
  const created = perItem(client, { what: "CreateTopics", items: topics, options, attempt })
  return Effect.map(created, (results) => results.map(({ item, result }) => ({ item: item.topic, result })))
}

/** The last version of DeleteTopics that has names alone. */
const lastByName = 5

const deleteTopics = (client: Client, topics: ReadonlyArray<TopicReference>, options: AdminOptions | undefined) => {
  const tags = commandTags(client, topics)
  const attempt = together((pending: ReadonlyArray<TopicReference>) => {
    const names = pending.filter((topic) => typeof topic === "string")
    const timeoutMs = nodeTimeoutOf(client, options)
    const byId = pending.map((topic) => (typeof topic === "string" ? { name: topic, topicId: zeroTopicId } : { name: null, topicId: topic.topicId }))
    const call =
      names.length === pending.length
        ? client.callController(DeleteTopics, { topicNames: [...names], timeoutMs }, { ...tags(pending), versionMax: lastByName })
        : client.callController(DeleteTopics, { topics: byId, timeoutMs }, { ...tags(pending), versionMin: lastByName + 1 })
    return Effect.map(call, ({ responses }) =>
      pending.map((topic) => {
        const one = responses.find((response) => (typeof topic === "string" ? response.name === topic : response.topicId === topic.topicId))
        if (one === undefined) return missing(idOf(topic))
        if (one.name !== null) client.metadata.forget(one.name)
        return resultOf(one.errorCode, `'${idOf(topic)}'`, one.errorMessage, undefined)
      })
    )
  })
  return perItem(client, { what: "DeleteTopics", isController: true, items: topics, options, attempt })
}

const createPartitions = (client: Client, topics: ReadonlyArray<NewPartitions>, options: ChangeOptions | undefined) => {
  const tags = commandTags(client, topics)
  const attempt = together((pending: ReadonlyArray<NewPartitions>) => {
    const drafts = pending.map(({ assignments: given, topic, total }) => ({
      name: topic,
      count: total,
      assignments: given === undefined ? null : given.map((brokerIds) => ({ brokerIds: [...brokerIds] }))
    }))
    const request = { topics: drafts, timeoutMs: nodeTimeoutOf(client, options), validateOnly: options?.validateOnly ?? false }
    return Effect.map(client.callController(CreatePartitions, request, tags(pending)), ({ results }) =>
      pending.map(({ topic }) => {
        const one = results.find((result) => result.name === topic)
        client.metadata.forget(topic)
        return one === undefined ? missing(`'${topic}'`) : resultOf(one.errorCode, `'${topic}'`, one.errorMessage, undefined)
      })
    )
  })
  const created = perItem(client, { what: "CreatePartitions", isController: true, items: topics, options, attempt })
  return Effect.map(created, (results) => results.map(({ item, result }) => ({ item: item.topic, result })))
}

const describeTopics = (client: Client, topics: ReadonlyArray<string>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "Metadata",
    items: topics,
    options,
    attempt: together((pending: ReadonlyArray<string>) =>
      Effect.map(client.metadata.refresh(pending), (view) =>
        pending.map((topic) => {
          const found = view.topics.get(topic)
          return found === undefined ? Either.left(failure(view.topicErrors.get(topic) ?? "UNKNOWN_TOPIC_OR_PARTITION", `'${topic}'`)) : Either.right(found)
        })
      )
    )
  })

export const topicsAdmin = (client: Client): TopicsAdmin => ({
  createTopics: (topics, options) =>
    checked(
      "createTopics",
      () => [newTopics(topics, "topics"), changeOptions(options, "options")],
      () => createTopics(client, topics, options)
    ),
  deleteTopics: (topics, options) =>
    checked(
      "deleteTopics",
      () => [references(topics, "topics"), adminOptions(options, "options")],
      () => deleteTopics(client, topics, options)
    ),
  createPartitions: (topics, options) =>
    checked(
      "createPartitions",
      () => [newPartitions(topics, "topics"), changeOptions(options, "options")],
      () => createPartitions(client, topics, options)
    ),
  describeTopics: (topics, options) =>
    checked(
      "describeTopics",
      () => [topicNames(topics, "topics"), adminOptions(options, "options")],
      () => describeTopics(client, topics, options)
    )
})
