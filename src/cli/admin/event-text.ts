import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import { replicationWords } from "./replication-events.ts"

const utf8 = new TextDecoder()

interface EventRecord {
  readonly index: number
  readonly time: string
  readonly type: string
  readonly cause: string
  readonly actor: string
  readonly commandId: string
  readonly event: Readonly<Record<string, unknown>>
}

/** Decodes a message of the journal. A value that is not a JSON object is shown as it is. */
const eventRecordOf = (record: ConsumedRecord): EventRecord => {
  const header = (name: string): string => {
    const value = record.headers.find(({ key }) => key === name)?.value
    return value ? utf8.decode(value) : ""
  }
  return {
    index: record.offset,
    time: new Date(record.timestamp).toISOString(),
    type: record.keyText ?? "",
    cause: header("cause"),
    actor: header("actor"),
    commandId: header("command-id"),
    event: objectOf(record.text)
  }
}
const objectOf = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : { value }
  } catch {
    return { value: text }
  }
}

export const eventJson = (record: ConsumedRecord): unknown => eventRecordOf(record)

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

/** Events as lines of text. It remembers the names of topic ids, so that a partition is `orders-3`. */
export class EventText {
  private readonly names = new Map<string, string>()

  /**
   * "12 2026-11-22T14:43:07.042Z PartitionPlaced orders-0 leader=1 replicas=[1] … (CreateTopics, kcat@127.0.0.1)".
   */
  line(record: ConsumedRecord): string {
    const { actor, cause, event, index, time, type } = eventRecordOf(record)
    const { topic, topicId, partition, ...rest } = event
    if (typeof topic === "string" && typeof topicId === "string") this.names.set(topicId, topic)
    const name = typeof topic === "string" ? topic : typeof topicId === "string" ? (this.names.get(topicId) ?? topicId) : ""
    const said = replicationWords(type, event, (id, index) => `${this.names.get(String(id)) ?? String(id)}-${String(index)}`)
    const subject = name === "" ? "" : partition === undefined ? name : `${name}-${shown(partition)}`
    const fields = Object.entries(rest).filter(([key, value]) => key !== "_tag" && key !== "v" && value !== null && JSON.stringify(value) !== "{}")
    const words = said === undefined ? [subject, ...fields.map(([key, value]) => `${key}=${shown(value)}`)].filter((word) => word !== "") : [said]
    return `${String(index).padStart(5)}  ${time}  ${type.padEnd(20)}  ${words.join(" ")}  (${[cause, actor].filter((word) => word !== "").join(", ")})`
  }
}
