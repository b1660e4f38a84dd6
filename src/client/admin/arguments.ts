import { either, type Fields, fields, first, groupName, listOf, name, oneOf, optional, settings, text, type Wrong, whole, yesOrNo } from "../argument/check.ts"
import type { ConfigChanges } from "./topic-configs.ts"

const changesFields: Fields<ConfigChanges> = { set: optional(settings), unset: optional(listOf(text(1000), "settings' names")) }
const changes = fields(changesFields)
const node = either(whole(0), oneOf("all"))
const listing = fields<{ internal?: boolean }>({ internal: optional(yesOrNo) })

export const wrongPartitions = (topic: unknown, partitions: unknown): Wrong | undefined => first(name(topic, "topic"), whole(1)(partitions, "partitions"))
export const wrongTopicChanges = (topic: unknown, given: unknown): Wrong | undefined => first(name(topic, "topic"), changes(given, "changes"))
export const wrongNode = (given: unknown): Wrong | undefined => node(given, "node")
export const wrongNodeChanges = (given: unknown, of: unknown): Wrong | undefined => first(node(given, "node"), changes(of, "changes"))
export const wrongListing = (options: unknown): Wrong | undefined => optional(listing)(options, "options")
export const wrongGroup = (group: unknown): Wrong | undefined => groupName(group, "group")
export const wrongBroker = (broker: unknown): Wrong | undefined => whole(0)(broker, "broker")
