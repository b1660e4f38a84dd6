import { type Fields, fields, first, name, optional, settings, type Wrong, whole } from "../argument/check.ts"
import type { TopicOptions } from "./administration.ts"

/** A typed topic is a value of `Topic.make`. */
export const wrongTopic = (topic: unknown): Wrong | undefined => {
  const { decodeKey, decodeValue, encodeKey, encodeValue, name: given } = (topic ?? {}) as Readonly<Record<string, unknown>>
  const isTopic = [decodeKey, decodeValue, encodeKey, encodeValue].every((one) => typeof one === "function")
  return isTopic ? name(given, "topic.name") : { field: "topic", given: topic, allowed: "a topic of Topic.make" }
}

const topicOptions: Fields<TopicOptions> = {
  partitions: optional(whole(1)),
  replicationFactor: optional(whole(1, 0x7fff)),
  configs: optional(settings)
}
export const wrongAddTopic = (topic: unknown, options: unknown): Wrong | undefined =>
  first(name(topic, "topic"), optional(fields(topicOptions))(options, "options"))
export const wrongTopicName = (topic: unknown): Wrong | undefined => name(topic, "topic")
