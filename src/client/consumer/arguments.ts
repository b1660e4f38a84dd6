import { Schedule } from "effect"
import {
  aFunction,
  bytesMax,
  durationMs,
  eachOnce,
  either,
  type Fields,
  fields,
  first,
  groupName,
  listOf,
  name,
  offset,
  oneOf,
  optional,
  partitionIndex,
  timeoutMs,
  timestamp,
  type Wrong,
  whole,
  yesOrNo
} from "../argument/check.ts"
import { connectionFields } from "../argument/connection.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import type { GroupOptions } from "../group/options.ts"
import { wrongTopic } from "../topic/arguments.ts"
import type { ConsumerOptions, EventsOptions, JoinOptions, PollOptions, RecordsOptions } from "./options.ts"
import type { RunOptions } from "./run/options.ts"
import type { RetriesOptions, RetryTopicOptions, WorkerOptions, WorkerRetries } from "./typed/options.ts"

const consumerFields: Fields<ConsumerOptions> = {
  ...connectionFields,
  from: optional(oneOf("subscribed", "earliest", "latest")),
  commitIntervalMs: optional(either(timeoutMs, oneOf("never"))),
  pollRecordsMax: optional(whole(1)),
  fetchWaitMs: optional(durationMs),
  fetchBytesMax: optional(bytesMax),
  partitionBytesMax: optional(bytesMax),
  bufferBytesMax: optional(whole(1, Number.MAX_SAFE_INTEGER, "bytes")),
  batchBytesMax: optional(bytesMax),
  onCorrupt: optional(oneOf("fail", "skip")),
  isolation: optional(oneOf("read_uncommitted", "read_committed")),
  rack: optional(name)
}
const consumer = fields(consumerFields)
export const wrongConsumer = (options: unknown): Wrong | undefined => consumer(options, "options")

const assignor = oneOf("range", "roundrobin", "sticky", "cooperative-sticky")
/** A value of effect/Schedule. */
const aSchedule = (value: unknown, field: string): Wrong | undefined =>
  Schedule.isSchedule(value) ? undefined : { field, given: value, allowed: "a Schedule of effect" }

const groupFields: Fields<GroupOptions> = {
  assignors: optional(listOf(assignor, "assignors", 1)),
  sessionTimeoutMs: optional(timeoutMs),
  heartbeatIntervalMs: optional(timeoutMs),
  rebalanceTimeoutMs: optional(timeoutMs),
  maxPollIntervalMs: optional(timeoutMs),
  instanceId: optional(name)
}
/** The first heartbeat would come after the session timeout. */
const contradiction = ({ heartbeatIntervalMs, sessionTimeoutMs = 10_000 }: GroupOptions): Wrong | undefined =>
  heartbeatIntervalMs !== undefined && heartbeatIntervalMs >= sessionTimeoutMs
    ? { field: "options.heartbeatIntervalMs", given: heartbeatIntervalMs, allowed: `less than sessionTimeoutMs, which is ${sessionTimeoutMs}` }
    : undefined
const joinFields: Fields<JoinOptions> = { ...groupFields, onAssigned: optional(aFunction) }
const group = fields(joinFields)
export const wrongJoin = (id: unknown, options: unknown): Wrong | undefined =>
  first(groupName(id, "group"), group(options, "options")) ?? contradiction(options as GroupOptions)

const recordsFields: Fields<RecordsOptions<never, never>> = {
  ...groupFields,
  group: groupName,
  chunkRecordsMax: optional(whole(1, 100_000)),
  onUndecodable: optional(either(oneOf("fail", "skip"), aFunction))
}
const records = fields(recordsFields)
export const wrongRecords = (topic: unknown, options: unknown): Wrong | undefined =>
  first(wrongTopic(topic), records(options, "options")) ?? contradiction(options as GroupOptions)

const concurrencyFields = { concurrency: optional(whole(1, 100_000)), perPartition: optional(whole(1, 100_000)), onAssigned: optional(aFunction) }
const runFields: Fields<RunOptions> = { ...concurrencyFields, dueAt: optional(aFunction) }
const run = fields(runFields)
export const wrongRun = (handler: unknown, options: unknown): Wrong | undefined => first(aFunction(handler, "handler"), run(options, "options"))

const attempts = whole(1, 1_000_000)
const retryFields: Fields<RetryTopicOptions> = { topic: name, deadLetter: name, attempts: optional(attempts), delayMs: optional(durationMs) }
const retry = fields(retryFields)
export const wrongRetryTopic = (options: unknown): Wrong | undefined => retry(options, "options")
const retriesFields: Fields<RetriesOptions<never, never, never, never>> = {
  attempts: optional(attempts),
  delayMs: optional(durationMs),
  schedule: optional(aSchedule),
  giveUp: aFunction
}
const retries = fields(retriesFields)
export const wrongRetries = (handler: unknown, options: unknown): Wrong | undefined => first(aFunction(handler, "handler"), retries(options, "options"))

const workerRetries: Fields<WorkerRetries> = { attempts: optional(attempts), delayMs: optional(durationMs), topic: optional(name) }
const workerFields: Fields<WorkerOptions> = {
  ...groupFields,
  ...concurrencyFields,
  group: groupName,
  deadLetter: name,
  retries: optional(fields(workerRetries))
}
const worker = fields(workerFields)
export const wrongWorker = (topic: unknown, handler: unknown, options: unknown): Wrong | undefined =>
  first(wrongTopic(topic), aFunction(handler, "handler"), worker(options, "options")) ?? contradiction(options as GroupOptions)

const topicNames = listOf(name, "topics")
export const wrongTopics = (topics: unknown): Wrong | undefined => topicNames(topics, "topics")

const pollFields: Fields<PollOptions> = {
  maxRecords: optional(whole(1)),
  timeoutMs: optional(durationMs),
  acknowledge: optional(oneOf("at the next poll", "each"))
}
const poll = fields(pollFields)
export const wrongPoll = (options: unknown): Wrong | undefined => poll(options, "options")

/** A record of `poll`, or an object with its position. */
export const wrongRecord = (record: unknown): Wrong | undefined => {
  if (typeof record !== "object" || record === null) return { field: "record", given: record, allowed: "a record that poll returned" }
  const { offset: at, partition, topic } = record as Readonly<Record<string, unknown>>
  return first(name(topic, "record.topic"), partitionIndex(partition, "record.partition"), offset(at, "record.offset"))
}

/** A ConsumedRecord, to be decoded or sent elsewhere. */
export const wrongMessageToRead = (record: unknown): Wrong | undefined => {
  const wrong = wrongRecord(record)
  if (wrong !== undefined) return wrong
  const { headers, key, value } = record as Readonly<Record<string, unknown>>
  const isMessage = Array.isArray(headers) && [key, value].every((part) => part === null || part instanceof Uint8Array)
  return isMessage ? undefined : { field: "record", given: record, allowed: "a record that poll returned" }
}

const startAt = either(
  oneOf("earliest", "latest"),
  fields<{ offset: number }>({ offset }, "{ offset }"),
  fields<{ timestamp: number }>({ timestamp }, "{ timestamp }")
)
const assignment = listOf(
  fields<{ topic: string; partition: number; at: unknown }>({ topic: name, partition: partitionIndex, at: startAt }, "{ topic, partition, at }"),
  "{ topic, partition, at }"
)
/** A leader refuses a request that names a partition twice; one of its two places would have the offset of the other. */
const partitionsOnce = eachOnce("partitions", ({ partition, topic }: TopicPartition) => topicPartitionKey({ topic, partition }))
export const wrongPlaces = (given: unknown): Wrong | undefined => assignment(given, "places") ?? partitionsOnce(given, "places")
export const wrongSeek = (topic: unknown, partition: unknown, at: unknown): Wrong | undefined =>
  first(name(topic, "topic"), partitionIndex(partition, "partition"), either(offset, startAt)(at, "at"))

const partitionList = listOf(fields<TopicPartition>({ topic: name, partition: partitionIndex }, "{ topic, partition }"), "{ topic, partition }")
export const wrongPartitions = (given: unknown): Wrong | undefined => partitionList(given, "partitions")

const eventsFields: Fields<EventsOptions> = { from: optional(offset), follow: optional(yesOrNo) }
const events = fields(eventsFields)
export const wrongEvents = (options: unknown): Wrong | undefined => events(options, "options")
