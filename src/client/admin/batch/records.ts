import { Effect } from "effect"
import { ListOffsets } from "../../../protocol/message/02-list-offsets.ts"
import { DeleteRecords } from "../../../protocol/message/21-delete-records.ts"
import { either, fields, oneOf, timestamp } from "../../argument/check.ts"
import type { Client } from "../../cluster/client.ts"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import type { InvalidArgument } from "../../error.ts"
import { adminOptions, anOffset, checked, itemsOf, partitionFields, partitionKey } from "./arguments.ts"
import { type AdminOptions, atLeaders, byTopic, type ItemResults, missing, nodeTimeoutOf, partitionName, perItem, resultOf } from "./items.ts"

/** Messages of a partition to delete: all before an offset, or all that there are. */
export interface RecordsToDelete extends TopicPartition {
  readonly before: number | "end"
}
/** The offset that is asked for: an end of the log, the newest timestamp, or the first message of a time or later. */
export interface OffsetRequest extends TopicPartition {
  readonly at: "earliest" | "latest" | "max-timestamp" | { readonly timestamp: number }
}
export interface ListedOffset {
  /** -1: no message is of that time or later. */
  readonly offset: number
  /** ms since 1970; -1 where the node does not name it. */
  readonly timestamp: number
}

export interface RecordsAdmin {
  /** Deletes the oldest messages of partitions. The result is the partition's new first offset. */
  readonly deleteRecords: (
    records: ReadonlyArray<RecordsToDelete>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, { readonly first: number }>, InvalidArgument>
  /** The offsets of partitions at an end or a time. */
  readonly listOffsets: (
    requests: ReadonlyArray<OffsetRequest>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, ListedOffset>, InvalidArgument>
}

const deletions = itemsOf(fields<RecordsToDelete>({ ...partitionFields, before: either(anOffset, oneOf("end")) }), "partitions", partitionKey)
const at = either(oneOf("earliest", "latest", "max-timestamp"), fields<{ timestamp: number }>({ timestamp }))
const offsetRequests = itemsOf(fields<OffsetRequest>({ ...partitionFields, at }), "partitions", partitionKey)

/** The high watermark, as DeleteRecords names it. */
const highWatermark = -1n

const deleteRecords = (client: Client, records: ReadonlyArray<RecordsToDelete>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "DeleteRecords",
    items: records,
    options,
    attempt: atLeaders(client, (node, pending: ReadonlyArray<RecordsToDelete>) => {
      const topics = byTopic(pending, ({ before, partition }) => ({ partitionIndex: partition, offset: before === "end" ? highWatermark : BigInt(before) }))
      return Effect.map(client.callNode(node, DeleteRecords, { topics, timeoutMs: nodeTimeoutOf(client, options) }), (response) =>
        pending.map((item) => {
          const one = response.topics.find(({ name }) => name === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
          return one === undefined ? missing(partitionName(item)) : resultOf(one.errorCode, partitionName(item), null, { first: Number(one.lowWatermark) })
        })
      )
    })
  })

const timestampOf = (request: OffsetRequest["at"]): bigint => {
  if (typeof request === "object") return BigInt(request.timestamp)
  return request === "latest" ? -1n : request === "earliest" ? -2n : -3n
}
/** The first version that knows the newest timestamp (KIP-734). */
const maxTimestampVersion = 7

const listOffsets = (client: Client, requests: ReadonlyArray<OffsetRequest>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "ListOffsets",
    items: requests,
    options,
    attempt: atLeaders(client, (node, pending: ReadonlyArray<OffsetRequest>) => {
      const topics = byTopic(pending, (item) => ({ partitionIndex: item.partition, timestamp: timestampOf(item.at) }))
      const versionMin = pending.some((item) => item.at === "max-timestamp") ? maxTimestampVersion : 1
      return Effect.map(client.callNode(node, ListOffsets, { replicaId: -1, topics }, { versionMin }), (response) =>
        pending.map((item) => {
          const one = response.topics.find(({ name }) => name === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
          if (one === undefined) return missing(partitionName(item))
          return resultOf(one.errorCode, partitionName(item), null, { offset: Number(one.offset), timestamp: Number(one.timestamp) })
        })
      )
    })
  })

const plain = <A>(results: ItemResults<TopicPartition, A>): ItemResults<TopicPartition, A> =>
  results.map(({ item: { partition, topic }, result }) => ({ item: { topic, partition }, result }))

export const recordsAdmin = (client: Client): RecordsAdmin => ({
  deleteRecords: (records, options) =>
    checked(
      "deleteRecords",
      () => [deletions(records, "records"), adminOptions(options, "options")],
      () => Effect.map(deleteRecords(client, records, options), plain)
    ),
  listOffsets: (requests, options) =>
    checked(
      "listOffsets",
      () => [offsetRequests(requests, "requests"), adminOptions(options, "options")],
      () => Effect.map(listOffsets(client, requests, options), plain)
    )
})
