import { metadataOf } from "./member.ts"
import { type ClassicGroup, sortedMembers } from "./state.ts"

const decoder = new TextDecoder()

/**
 * Returns the topics of a ConsumerProtocolSubscription. Only the fields of version 0 are read, with which every later
 * version begins. Null for bytes of another form.
 */
export const subscriptionTopics = (metadata: Uint8Array): ReadonlyArray<string> | null => {
  const view = new DataView(metadata.buffer, metadata.byteOffset, metadata.byteLength)
  if (metadata.length < 6) return null
  const count = view.getInt32(2)
  let at = 6
  // A topic takes two bytes at least: a larger count is wrong.
  if (count < 0 || count > (metadata.length - at) / 2) return null
  const topics: Array<string> = []
  for (let i = 0; i < count; i++) {
    if (at + 2 > metadata.length) return null
    const length = view.getInt16(at)
    at += 2
    if (length < 0 || at + length > metadata.length) return null
    topics.push(decoder.decode(metadata.subarray(at, at + length)))
    at += length
  }
  return topics
}

/**
 * Returns the topics that members subscribe to in this generation. Null when they cannot be known: not a consumer
 * group, or metadata of another form.
 */
export const subscribedTopics = (group: ClassicGroup): ReadonlySet<string> | null => {
  if (group.protocolType !== "consumer") return null
  const topics = new Set<string>()
  if (group.protocolName === null) return group.phase === "Empty" ? topics : null
  for (const member of sortedMembers(group)) {
    const subscribed = subscriptionTopics(metadataOf(member, group.protocolName))
    if (subscribed === null) return null
    for (const topic of subscribed) topics.add(topic)
  }
  return topics
}
