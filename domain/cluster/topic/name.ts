import { Either, HashMap } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import { isTopicName, type TopicId, type TopicName } from "../../kernel/id.ts"
import { rejected } from "../decision.ts"
import { hasCollisionCharacters, unifiedName } from "../evolve.ts"
import type { Cluster } from "../state.ts"
import { groupMetadataTopic, groupMetadataTopicId } from "./group-metadata.ts"

/** The leader's journal: clients read it, and only the leader writes to it. */
export const metadataTopic = "__cluster_metadata" as TopicName
/** Its topic id, the same as Kafka's. */
export const metadataTopicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId
/** The groups in Kafka's own format, made from their streams. */
export const consumerOffsetsTopic = "__consumer_offsets" as TopicName
/** A topic id below 100, which Kafka gives to no topic of a client. */
export const consumerOffsetsTopicId = "AAAAAAAAAAAAAAAAAAAAAw" as TopicId
/**
 * Kafka's other internal topics: this cluster does not have them, and a client's topic of such a name would be mistaken
 * for one.
 */
const otherInternalNames: ReadonlySet<string> = new Set([groupMetadataTopic, "__transaction_state", "__share_group_state"])

/** Whether clients may neither create, write, change nor remove a topic of that name. */
export const isInternalName = (name: string): boolean =>
  name.startsWith("__") &&
  (name === metadataTopic || name === consumerOffsetsTopic || otherInternalNames.has(name) || name.startsWith(`${groupMetadataTopic}-`))
/** Whether an internal topic has that id. */
export const isInternalId = (topicId: string): boolean => topicId === metadataTopicId || topicId === consumerOffsetsTopicId || topicId === groupMetadataTopicId

/** Refuses to create, write, change or remove an internal topic. */
export const internalTopicRejection = (name: string): Rejection => ({
  error: "INVALID_TOPIC_EXCEPTION",
  message: `'${name}' is an internal topic: clients can neither create, write, change nor remove it.`
})

const nameCharactersMax = 249
/** Characters of a client's text that a response repeats. */
const shown = (name: string): string => (name.length > 60 ? `${name.slice(0, 60)}…` : name)

/**
 * Returns the name, if a topic can have it; otherwise INVALID_TOPIC_EXCEPTION. Does not look whether such a topic
 * exists.
 */
export const parseTopicName = (name: string): Either.Either<TopicName, Rejection> => {
  if (name === "") return rejected("INVALID_TOPIC_EXCEPTION", "Topic name is invalid: the empty string is not allowed.")
  if (name === "." || name === "..") return rejected("INVALID_TOPIC_EXCEPTION", "Topic name is invalid: '.' or '..' is not allowed.")
  if (name.length > nameCharactersMax)
    return rejected("INVALID_TOPIC_EXCEPTION", `Topic name is invalid: '${shown(name)}' has ${name.length} characters, the most is ${nameCharactersMax}.`)
  if (!isTopicName(name))
    return rejected("INVALID_TOPIC_EXCEPTION", `Topic name is invalid: '${shown(name)}' has characters other than ASCII letters, digits, '.', '_' and '-'.`)
  return Either.right(name)
}

/** The name, if a topic of that name may be added: not the leader's own, and not like another but for '.' and '_'. */
export const newTopicName = (cluster: Cluster, text: string): Either.Either<TopicName, Rejection> =>
  Either.flatMap(parseTopicName(text), (name) => {
    if (HashMap.has(cluster.topicIds, name)) return rejected("TOPIC_ALREADY_EXISTS", `Topic '${name}' already exists.`)
    if (name === consumerOffsetsTopic) return rejected("TOPIC_ALREADY_EXISTS", `Topic '${name}' already exists. It is internal.`)
    if (isInternalName(name)) return Either.left(internalTopicRejection(name))
    const like = hasCollisionCharacters(name) ? HashMap.get(cluster.unifiedNames, unifiedName(name)) : undefined
    if (like?._tag === "Some")
      return rejected(
        "INVALID_TOPIC_EXCEPTION",
        `Topic '${name}' collides with existing topic: ${like.value}. '.' and '_' count as the same in metrics' names.`
      )
    return Either.right(name)
  })
