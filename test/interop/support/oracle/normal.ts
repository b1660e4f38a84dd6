import { Either } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { zeroUuid } from "../../../../src/protocol/type/wire.ts"

/** Replaces values that may differ between two nodes: ids that each chooses, ports, times. Known ids get names. */
export interface Names {
  /** What to show instead of each node's port. */
  readonly ports: ReadonlyMap<number, string>
  readonly clusterId: string | null
  readonly ids: ReadonlyMap<string, string>
}

export type Plain = null | boolean | number | string | ReadonlyArray<Plain> | { readonly [name: string]: Plain }

/** Times of the test's own records are before this, those of the clock after it. */
const clockFrom = 1_000_000_000_000n

const batchesOf = (bytes: Uint8Array): Plain => {
  // Kafka fills a response with a part of the next batch, which clients ignore.
  const batches = readableBatches(bytes)
  if (Either.isLeft(batches)) return `unreadable: ${batches.left.error}`
  return batches.right.map((batch) => ({
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    leaderEpoch: batch.partitionLeaderEpoch,
    codec: batch.codec ?? "unknown",
    timestampType: batch.timestampType,
    maxTimestamp: time(BigInt(batch.maxTimestamp)),
    idempotent: batch.producerId >= 0n,
    baseSequence: batch.baseSequence
  }))
}
const time = (at: bigint): Plain => (at >= clockFrom ? "now" : Number(at))

const text = (key: string, value: string, { clusterId, ids, ports }: Names): Plain => {
  const known = ids.get(value)
  if (known !== undefined) return known
  if (key === "errorMessage" || key === "batchIndexErrorMessage") return value === "" ? "" : "a sentence"
  if (value === clusterId) return "the cluster"
  if (key === "topicId" && value !== zeroUuid) return "<an id>"
  if (key === "documentation") return value === "" ? "" : "a text"
  const plain = value.replaceAll(/\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/g, "UUID")
  return [...ports].reduce((shownText, [port, name]) => shownText.replaceAll(String(port), name), plain)
}

const scalar = (key: string, value: unknown, names: Names): Plain => {
  if (typeof value === "string") return text(key, value, names)
  if (typeof value === "bigint") {
    if (key === "producerId") return value >= 0n ? "a producer" : "none"
    return /timestamp|timeMs/i.test(key) ? time(value) : Number(value)
  }
  if (typeof value === "number") {
    if (/errorCode$/i.test(key)) return kafkaError(value)
    if (key === "sessionId") return value === 0 ? "none" : "a session"
    // With several nodes Kafka names any broker as the controller.
    if (key === "controllerId" && names.ports.size > 1) return value > 0 ? "a node" : value
    return key === "port" ? (names.ports.get(value) ?? value) : value
  }
  if (value instanceof Uint8Array) return key === "records" ? batchesOf(value) : `hex ${Buffer.from(value).toString("hex")}`
  return value as boolean | null
}

const orderOf = (value: Plain): string => JSON.stringify(value)
const internal = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  const name = "name" in value ? value.name : "topic" in value ? value.topic : undefined
  return typeof name === "string" && name.startsWith("__")
}

interface Synonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

/** Lists of brokers whose order means nothing; that of the replicas does. */
const sets: ReadonlySet<string> = new Set([
  "isr",
  "isrNodes",
  "eligibleLeaderReplicas",
  "lastKnownElr",
  "offlineReplicas",
  "addingReplicas",
  "removingReplicas"
])

/** A response as comparable plain data: lists of objects are unordered, and internal topics are omitted. */
export const normal = (value: unknown, names: Names, key = ""): Plain => {
  // The synonyms of a setting are ordered.
  if (key === "synonyms" && Array.isArray(value))
    return value.map((each: Synonym) => text("synonyms", `${each.name}=${each.value}@${each.source}`, names)).join(" ; ")
  if (Array.isArray(value)) {
    const items = value.filter((item) => !internal(item)).map((item) => normal(item, names, key))
    if (sets.has(key)) return items.toSorted((one, other) => Number(one) - Number(other))
    return items.some((item) => typeof item === "object") ? items.toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1)) : items
  }
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array))
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, normal(field, names, name)]))
  return scalar(key, value, names)
}

export interface Difference {
  /** The request, and where in its answer: "produce/unknown topic responses.0.partitionResponses.0.errorCode". */
  readonly at: string
  readonly ours: string
  readonly kafkas: string
}

const shown = (value: Plain | undefined): string => (value === undefined ? "nothing" : JSON.stringify(value))

/** Lists of unequal length: the elements of one of them alone. */
const without = (items: ReadonlyArray<Plain>, others: ReadonlyArray<Plain>): ReadonlyArray<Plain> => {
  const left = others.map(shown)
  return items.filter((item) => {
    const at = left.indexOf(shown(item))
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
const isList = (value: Plain | undefined): value is ReadonlyArray<Plain> => Array.isArray(value)
const isObject = (value: Plain | undefined): value is { readonly [name: string]: Plain } => typeof value === "object" && value !== null && !isList(value)

/** Where two answers differ, field by field. */
export const differences = (at: string, ours: Plain | undefined, kafkas: Plain | undefined): ReadonlyArray<Difference> => {
  if (isList(ours) && isList(kafkas)) {
    const [one, other] = [without(ours, kafkas), without(kafkas, ours)]
    if (one.length === other.length) return one.flatMap((item, index) => differences(`${at}.${index}`, item, other[index]))
    return [{ at, ours: shown(one), kafkas: shown(other) }]
  }
  if (isObject(ours) && isObject(kafkas))
    return [...new Set([...Object.keys(ours), ...Object.keys(kafkas)])].flatMap((name) => differences(`${at}.${name}`, ours[name], kafkas[name]))
  return shown(ours) === shown(kafkas) ? [] : [{ at, ours: shown(ours), kafkas: shown(kafkas) }]
}
