import { Either, HashMap } from "effect"
import type { Rejection } from "../kernel/error-code.ts"
import { isTopicName, type TopicId, type TopicName } from "../kernel/id.ts"
import { hasCollisionCharacters, unifiedName } from "./evolve.ts"
import { rejected } from "./rejected.ts"
import type { Cluster } from "./state.ts"

/** The leader's own streams: read by anybody, written by the leader alone. */
export const metadataTopic = "__cluster_metadata"
/** Its topic id, the same as Kafka's. */
export const metadataTopicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId
export const groupMetadataTopic = "__group_metadata"
const reserved = (name: string): boolean => name === metadataTopic || name === groupMetadataTopic || name.startsWith(`${groupMetadataTopic}-`)

const nameCharactersMax = 249
/** As much of a client's text as an answer repeats. */
const shown = (name: string): string => (name.length > 60 ? `${name.slice(0, 60)}…` : name)

/** The name, if it is one that a topic can have; INVALID_TOPIC_EXCEPTION else. Says nothing about whether such a topic is there. */
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
    if (reserved(name)) return rejected("INVALID_TOPIC_EXCEPTION", `'${name}' is the leader's journal: it cannot be created, changed or written to.`)
    const like = hasCollisionCharacters(name) ? HashMap.get(cluster.unifiedNames, unifiedName(name)) : undefined
    if (like?._tag === "Some")
      return rejected(
        "INVALID_TOPIC_EXCEPTION",
        `Topic '${name}' collides with existing topic: ${like.value}. '.' and '_' count as the same in metrics' names.`
      )
    return Either.right(name)
  })
