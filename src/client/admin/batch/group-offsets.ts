import { Effect, Either } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { OffsetCommit } from "../../../protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../../protocol/message/09-offset-fetch.ts"
import { OffsetDelete } from "../../../protocol/message/47-offset-delete.ts"
import { type Check, either, fields, groupName, oneOf, optional, text, timestamp, whole, yesOrNo } from "../../argument/check.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import type { InvalidArgument } from "../../error.ts"
import { adminOptions, anOffset, checked, itemsOf, partitionFields, partitionKey, partitionList, topicNames } from "./arguments.ts"
import { atCoordinators } from "./coordinators.ts"
import { type AdminOptions, byTopic, type ItemError, type ItemResults, missing, once, partitionName, perItem, resultOf } from "./items.ts"
import type { RecordsAdmin } from "./records.ts"

/** The offset that a group has committed in a partition: that of the next message to process. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  readonly metadata: string | null
  /** -1: not known. */
  readonly leaderEpoch: number
}
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number
  readonly metadata?: string
}
/** Where a group is to continue: at an end, an offset, a time, or some messages before or after its committed offset. */
export type ResetTo = "earliest" | "latest" | { readonly offset: number } | { readonly timestamp: number } | { readonly shiftBy: number }
export interface ResetOptions extends AdminOptions {
  /** The topics whose partitions are reset. Default: those in which the group has committed. */
  readonly topics?: ReadonlyArray<string>
  /** Returns the new offsets, and commits none. Default false. */
  readonly dryRun?: boolean
}
export interface OffsetReset {
  /** The committed offset before; undefined where there was none. */
  readonly from: number | undefined
  /** The offset afterwards, within the first and the end offset of the partition. */
  readonly to: number
}

export interface GroupOffsetsAdmin {
  /** The committed offsets of a group: of all partitions, or of those that are named and have one. */
  readonly groupOffsets: (
    group: string,
    partitions?: ReadonlyArray<TopicPartition>,
    options?: AdminOptions
  ) => Effect.Effect<ReadonlyArray<CommittedOffset>, ItemError | InvalidArgument>
  /** Commits offsets for a group without members. */
  readonly setGroupOffsets: (
    group: string,
    offsets: ReadonlyArray<OffsetToCommit>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, void>, InvalidArgument>
  /** Sets the offsets of a group without members to an end, an offset, a time, or by a shift. */
  readonly resetGroupOffsets: (
    group: string,
    to: ResetTo,
    options?: ResetOptions
  ) => Effect.Effect<ItemResults<TopicPartition, OffsetReset>, ItemError | InvalidArgument>
  /** Deletes committed offsets of topics to which the group is not subscribed. */
  readonly deleteGroupOffsets: (
    group: string,
    partitions: ReadonlyArray<TopicPartition>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, void>, InvalidArgument>
}

const toCommit = itemsOf(fields<OffsetToCommit>({ ...partitionFields, offset: anOffset, metadata: optional(text(4096)) }), "partitions", partitionKey)
const aShift: Check = (value, field) =>
  Number.isSafeInteger(value) ? undefined : { field, given: value, allowed: "a whole number of messages, negative to go back" }
const resetTo = either(
  oneOf("earliest", "latest"),
  fields<{ offset: number }>({ offset: anOffset }),
  fields<{ timestamp: number }>({ timestamp }),
  fields<{ shiftBy: number }>({ shiftBy: aShift })
)
const resetOptions = optional(fields<ResetOptions>({ timeoutMs: optional(whole(1)), topics: optional(topicNames), dryRun: optional(yesOrNo) }))

/** Later versions name topics by their ids. */
const lastByName = { commit: 9, fetch: 7 } as const

const groupOffsets = (client: Client, group: string, partitions: ReadonlyArray<TopicPartition> | undefined, options: AdminOptions | undefined) => {
  const topics =
    partitions === undefined
      ? null
      : byTopic(partitions, ({ partition }) => partition).map(({ name, partitions: partitionIndexes }) => ({ name, partitionIndexes }))
  const what = `The offsets of the group '${group}'`
  const fetched = atCoordinators(
    client,
    "group",
    (one: string) => one,
    (node, [groupId = group]) =>
      Effect.gen(function* () {
        const response = yield* client.pool.call(node, OffsetFetch, { groupId, topics }, { versionMin: 2, versionMax: lastByName.fetch })
        const error = kafkaError(response.errorCode)
        if (error !== "GROUP_ID_NOT_FOUND") yield* expectNone(error, what)
        const offsets = response.topics.flatMap(({ name, partitions: found }) =>
          found.flatMap(({ committedLeaderEpoch, committedOffset, metadata, partitionIndex }): ReadonlyArray<CommittedOffset> => {
            if (committedOffset < 0n) return []
            return [
              {
                topic: name,
                partition: partitionIndex,
                offset: Number(committedOffset),
                metadata: metadata === "" ? null : metadata,
                leaderEpoch: committedLeaderEpoch
              }
            ]
          })
        )
        return [Either.right(offsets)]
      })
  )
  return Effect.flatMap(perItem(client, { what, items: [group], options, attempt: fetched }), (results) => results[0]?.result ?? missing(what))
}

const setOffsets = (client: Client, group: string, offsets: ReadonlyArray<OffsetToCommit>, options: AdminOptions | undefined) => {
  const committed = perItem(client, {
    what: "OffsetCommit",
    items: offsets,
    options,
    attempt: atCoordinators(
      client,
      "group",
      () => group,
      (node, pending: ReadonlyArray<OffsetToCommit>) => {
        const topics = byTopic(pending, ({ metadata = null, offset, partition }) => ({
          partitionIndex: partition,
          committedOffset: BigInt(offset),
          committedMetadata: metadata
        }))
        return Effect.map(client.pool.call(node, OffsetCommit, { groupId: group, memberId: "", topics }, { versionMax: lastByName.commit }), (response) =>
          pending.map((item) => {
            const one = response.topics.find(({ name }) => name === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
            return one === undefined
              ? missing(partitionName(item))
              : resultOf(one.errorCode, `The offset of '${group}' in ${partitionName(item)}`, null, undefined)
          })
        )
      }
    )
  })
  return Effect.map(committed, (results) => results.map(({ item: { partition, topic }, result }) => ({ item: { topic, partition }, result })))
}

const deleteOffsets = (client: Client, group: string, partitions: ReadonlyArray<TopicPartition>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "OffsetDelete",
    items: partitions,
    options,
    attempt: atCoordinators(
      client,
      "group",
      () => group,
      (node, pending: ReadonlyArray<TopicPartition>) => {
        const topics = byTopic(pending, ({ partition }) => ({ partitionIndex: partition }))
        return Effect.map(client.pool.call(node, OffsetDelete, { groupId: group, topics }), (response) =>
          pending.map((item) => {
            const what = `The offset of '${group}' in ${partitionName(item)}`
            if (response.errorCode !== 0) return resultOf(response.errorCode, what, null, undefined)
            const one = response.topics.find(({ name }) => name === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
            return one === undefined ? missing(what) : resultOf(one.errorCode, what, null, undefined)
          })
        )
      }
    )
  })

type ListOffsets = RecordsAdmin["listOffsets"]
type Offset = Either.Either<number, ItemError | InvalidArgument>

/** The offset that a partition is reset to, from its ends, its committed offset and the offset of the time. */
const target = (to: ResetTo, committed: number | undefined, earliest: number, latest: number, atTime: number | undefined): number => {
  const wanted = ((): number => {
    if (to === "earliest") return earliest
    if (to === "latest") return latest
    if ("offset" in to) return to.offset
    if ("shiftBy" in to) return (committed ?? earliest) + to.shiftBy
    // A time after the last message: the messages that come next are meant.
    return atTime === undefined || atTime < 0 ? latest : atTime
  })()
  return Math.min(latest, Math.max(earliest, wanted))
}

const resetOffsets = (client: Client, listOffsets: ListOffsets, group: string, to: ResetTo, options: ResetOptions = {}) =>
  Effect.gen(function* () {
    const within: AdminOptions = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }
    const committed = new Map((yield* groupOffsets(client, group, undefined, within)).map((one) => [partitionKey(one), one]))
    const partitions = options.topics === undefined ? [...committed.values()] : yield* partitionsOf(client, options.topics, within)
    if (partitions.length === 0) return []
    const offsetsAt = (at: "earliest" | "latest" | { readonly timestamp: number }) =>
      Effect.map(
        listOffsets(
          partitions.map(({ partition, topic }) => ({ topic, partition, at })),
          within
        ),
        (found) => found.map(({ result }): Offset => Either.map(result, ({ offset }) => offset))
      )
    const isTime = typeof to === "object" && "timestamp" in to
    const [earliest, latest, times] = yield* Effect.all([offsetsAt("earliest"), offsetsAt("latest"), isTime ? offsetsAt(to) : Effect.succeed(undefined)], {
      concurrency: 3
    })
    const planned = partitions.map(({ partition, topic }, index) => {
      const item = { topic, partition }
      const from = committed.get(partitionKey(item))?.offset
      const none = missing(partitionName(item))
      const result = Either.gen(function* () {
        const [low, high] = [yield* earliest[index] ?? none, yield* latest[index] ?? none]
        return { from, to: target(to, from, low, high, times === undefined ? undefined : yield* times[index] ?? none) }
      })
      return { item, result: result as Either.Either<OffsetReset, ItemError> }
    })
    const resets = planned.flatMap(({ item, result }) => (Either.isRight(result) ? [{ ...item, offset: result.right.to }] : []))
    if (options.dryRun === true || resets.length === 0) return planned
    const set = new Map((yield* setOffsets(client, group, resets, within)).map(({ item, result }) => [partitionKey(item), result]))
    return planned.map(({ item, result }) => ({
      item,
      result: Either.flatMap(result, (reset) => Either.map(set.get(partitionKey(item)) ?? missing(partitionName(item)), () => reset))
    }))
  })
const partitionsOf = (client: Client, topics: ReadonlyArray<string>, options: AdminOptions): Effect.Effect<ReadonlyArray<TopicPartition>, ItemError> =>
  Effect.map(once(client, "Metadata", options, client.metadata.refresh(topics)), (view) =>
    // A topic that is not there is an item with its error, as any other.
    topics.flatMap(
      (topic): ReadonlyArray<TopicPartition> => view.topics.get(topic)?.partitions.map(({ partition }) => ({ topic, partition })) ?? [{ topic, partition: 0 }]
    )
  )

export const groupOffsetsAdmin = (client: Client, { listOffsets }: Pick<RecordsAdmin, "listOffsets">): GroupOffsetsAdmin => ({
  groupOffsets: (group, partitions, options) =>
    checked(
      "groupOffsets",
      () => [groupName(group, "group"), optional(partitionList)(partitions, "partitions"), adminOptions(options, "options")],
      () => groupOffsets(client, group, partitions, options)
    ),
  setGroupOffsets: (group, offsets, options) =>
    checked(
      "setGroupOffsets",
      () => [groupName(group, "group"), toCommit(offsets, "offsets"), adminOptions(options, "options")],
      () => setOffsets(client, group, offsets, options)
    ),
  resetGroupOffsets: (group, to, options) =>
    checked(
      "resetGroupOffsets",
      () => [groupName(group, "group"), resetTo(to, "to"), resetOptions(options, "options")],
      () => resetOffsets(client, listOffsets, group, to, options)
    ),
  deleteGroupOffsets: (group, partitions, options) =>
    checked(
      "deleteGroupOffsets",
      () => [groupName(group, "group"), partitionList(partitions, "partitions"), adminOptions(options, "options")],
      () => deleteOffsets(client, group, partitions, options)
    )
})
