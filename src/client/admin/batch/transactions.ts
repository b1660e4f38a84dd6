import { Effect, Either } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { InitProducerId } from "../../../protocol/message/22-init-producer-id.ts"
import { WriteTxnMarkers } from "../../../protocol/message/27-write-txn-markers.ts"
import { DescribeProducers } from "../../../protocol/message/61-describe-producers.ts"
import { DescribeTransactions } from "../../../protocol/message/65-describe-transactions.ts"
import { ListTransactions } from "../../../protocol/message/66-list-transactions.ts"
import { type Check, durationMs, type Fields, fields, listOf, optional, text, timeoutMs, whole } from "../../argument/check.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import type { InvalidArgument } from "../../error.ts"
import { adminOptions, checked, itemsOf, partitionFields, partitionKey, partitionList } from "./arguments.ts"
import { atCoordinators } from "./coordinators.ts"
import {
  type AdminOptions,
  atLeaders,
  byTopic,
  type ItemError,
  type ItemResults,
  missing,
  nodesAtOnce,
  once,
  partitionName,
  perItem,
  resultOf
} from "./items.ts"

export interface TransactionListed {
  readonly transactionalId: string
  readonly producerId: bigint
  /** "Ongoing", "PrepareCommit", "CompleteAbort" … */
  readonly state: string
}
export interface TransactionFilter extends AdminOptions {
  readonly states?: ReadonlyArray<string>
  readonly producerIds?: ReadonlyArray<bigint>
  /** Only transactions that are open for longer, ms (KIP-994). */
  readonly longerThanMs?: number
}
export interface TransactionDescription extends TransactionListed {
  readonly coordinator: string
  readonly producerEpoch: number
  readonly timeoutMs: number
  /** ms since 1970; undefined where no transaction is open. */
  readonly startedAt: number | undefined
  readonly partitions: ReadonlyArray<TopicPartition>
}
/** A producer that has written to a partition. */
export interface ProducerState {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly lastSequence: number
  /** ms since 1970. */
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** The first offset of its open transaction; undefined where none is open. */
  readonly transactionStart: number | undefined
}
/** An open transaction of a partition, as `describeProducers` names it. */
export interface TransactionToAbort extends TopicPartition {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
}

export interface TransactionsAdmin {
  /** The transactions of all coordinators (KIP-664). */
  readonly listTransactions: (filter?: TransactionFilter) => Effect.Effect<ReadonlyArray<TransactionListed>, ItemError | InvalidArgument>
  /** State, producer and partitions of transactions, from their coordinators. */
  readonly describeTransactions: (
    ids: ReadonlyArray<string>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<string, TransactionDescription>, InvalidArgument>
  /** The producers with state in partitions, from their leaders. */
  readonly describeProducers: (
    partitions: ReadonlyArray<TopicPartition>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, ReadonlyArray<ProducerState>>, InvalidArgument>
  /** Aborts open transactions of partitions whose coordinator has lost them. Only for those: others end by themselves. */
  readonly abortTransactions: (
    transactions: ReadonlyArray<TransactionToAbort>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, void>, InvalidArgument>
  /** Fences the producers of transactional ids, and aborts their open transactions. */
  readonly fenceProducers: (
    ids: ReadonlyArray<string>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<string, { readonly producerId: bigint; readonly producerEpoch: number }>, InvalidArgument>
}

const producerId: Check = (value, field) =>
  typeof value === "bigint" && value >= 0n && value < 2n ** 63n ? undefined : { field, given: value, allowed: "a producer id, a bigint of 0 or more" }
const filterFields: Fields<TransactionFilter> = {
  timeoutMs: optional(timeoutMs),
  states: optional(listOf(text(100), "states")),
  producerIds: optional(listOf(producerId, "producer ids")),
  longerThanMs: optional(durationMs)
}
const aFilter = optional(fields(filterFields))
const idList = itemsOf(text(10_000), "transactional ids", String)
const abortFields: Fields<TransactionToAbort> = { ...partitionFields, producerId, producerEpoch: whole(0, 0x7fff), coordinatorEpoch: whole(-1) }
const abortList = itemsOf(fields(abortFields), "transactions", (one: TransactionToAbort) => `${partitionKey(one)} ${one.producerId}`)

/** The first version with a filter of the duration. */
const durationVersion = 1

const listTransactions = (client: Client, filter: TransactionFilter) => {
  const { longerThanMs, producerIds = [], states = [] } = filter
  const request = {
    stateFilters: [...states],
    producerIdFilters: [...producerIds],
    ...(longerThanMs === undefined ? {} : { durationFilter: BigInt(longerThanMs) })
  }
  const versionMin = longerThanMs === undefined ? 0 : durationVersion
  const ofNode = (node: number) =>
    Effect.gen(function* () {
      const response = yield* client.callNode(node, ListTransactions, request, { versionMin })
      yield* expectNone(kafkaError(response.errorCode), `The transactions of node ${node}`)
      return response.transactionStates.map(({ producerId: id, transactionState: state, transactionalId }) => ({ transactionalId, producerId: id, state }))
    })
  const attempt = Effect.gen(function* () {
    const { nodes } = yield* client.metadata.refresh([])
    const found = (yield* Effect.forEach(nodes.keys(), ofNode, { concurrency: nodesAtOnce })).flat()
    return found.sort((one, other) => (one.transactionalId < other.transactionalId ? -1 : 1))
  })
  return once(client, "ListTransactions", filter, attempt)
}

const describeTransactions = (client: Client, ids: ReadonlyArray<string>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "DescribeTransactions",
    items: ids,
    options,
    attempt: atCoordinators(
      client,
      "transaction",
      (id: string) => id,
      (node, pending) =>
        Effect.map(client.pool.call(node, DescribeTransactions, { transactionalIds: [...pending] }), ({ transactionStates }) =>
          pending.map((id) => {
            const one = transactionStates.find(({ transactionalId }) => transactionalId === id)
            if (one === undefined) return missing(`The transaction '${id}'`)
            return resultOf(one.errorCode, `The transaction '${id}'`, null, {
              transactionalId: id,
              coordinator: `${node.host}:${node.port}`,
              producerId: one.producerId,
              producerEpoch: one.producerEpoch,
              state: one.transactionState,
              timeoutMs: one.transactionTimeoutMs,
              startedAt: one.transactionStartTimeMs < 0n ? undefined : Number(one.transactionStartTimeMs),
              partitions: one.topics.flatMap(({ partitions, topic }) => partitions.map((partition) => ({ topic, partition })))
            })
          })
        )
    )
  })

const describeProducers = (client: Client, partitions: ReadonlyArray<TopicPartition>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "DescribeProducers",
    items: partitions,
    options,
    attempt: atLeaders(client, (node, pending: ReadonlyArray<TopicPartition>) => {
      const topics = byTopic(pending, ({ partition }) => partition).map(({ name, partitions: partitionIndexes }) => ({ name, partitionIndexes }))
      return Effect.map(client.callNode(node, DescribeProducers, { topics }), (response) =>
        pending.map((item) => {
          const one = response.topics.find(({ name }) => name === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
          if (one === undefined) return missing(partitionName(item))
          const producers = one.activeProducers.map((producer) => ({
            producerId: producer.producerId,
            producerEpoch: producer.producerEpoch,
            lastSequence: producer.lastSequence,
            lastTimestamp: Number(producer.lastTimestamp),
            coordinatorEpoch: producer.coordinatorEpoch,
            transactionStart: producer.currentTxnStartOffset < 0n ? undefined : Number(producer.currentTxnStartOffset)
          }))
          return resultOf(one.errorCode, `The producers of ${partitionName(item)}`, one.errorMessage, producers)
        })
      )
    })
  })

const abortTransactions = (client: Client, transactions: ReadonlyArray<TransactionToAbort>, options: AdminOptions | undefined) =>
  Effect.map(
    perItem(client, {
      what: "WriteTxnMarkers",
      items: transactions,
      options,
      attempt: atLeaders(client, (node, pending: ReadonlyArray<TransactionToAbort>) => {
        const markers = pending.map((item) => ({
          producerId: item.producerId,
          producerEpoch: item.producerEpoch,
          coordinatorEpoch: item.coordinatorEpoch,
          transactionResult: false,
          topics: [{ name: item.topic, partitionIndexes: [item.partition] }]
        }))
        return Effect.map(client.callNode(node, WriteTxnMarkers, { markers }), (response) =>
          pending.map((item) => {
            const found = response.markers
              .filter((marker) => marker.producerId === item.producerId)
              .flatMap(({ topics }) => topics.filter(({ name }) => name === item.topic).flatMap(({ partitions }) => partitions))
              .find(({ partitionIndex }) => partitionIndex === item.partition)
            const what = `The transaction of producer ${item.producerId} in ${partitionName(item)}`
            return found === undefined ? missing(what) : resultOf(found.errorCode, what, null, undefined)
          })
        )
      })
    }),
    (results) => results.map(({ item: { partition, topic }, result }) => ({ item: { topic, partition }, result }))
  )

/** The timeout of the transaction that the fence opens and never uses, ms. */
const fenceTimeoutMs = 1

const fenceProducers = (client: Client, ids: ReadonlyArray<string>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "InitProducerId",
    items: ids,
    options,
    attempt: atCoordinators(
      client,
      "transaction",
      (id: string) => id,
      (node, pending) => {
        const fence = (transactionalId: string) =>
          Effect.map(
            Effect.either(client.pool.call(node, InitProducerId, { transactionalId, transactionTimeoutMs: fenceTimeoutMs })),
            Either.flatMap(({ errorCode, producerEpoch, producerId: id }) =>
              resultOf(errorCode, `The producer of '${transactionalId}'`, null, { producerId: id, producerEpoch })
            )
          )
        return Effect.forEach(pending, fence, { concurrency: nodesAtOnce })
      }
    )
  })

export const transactionsAdmin = (client: Client): TransactionsAdmin => ({
  listTransactions: (filter) =>
    checked(
      "listTransactions",
      () => [aFilter(filter, "filter")],
      () => listTransactions(client, filter ?? {})
    ),
  describeTransactions: (ids, options) =>
    checked(
      "describeTransactions",
      () => [idList(ids, "ids"), adminOptions(options, "options")],
      () => describeTransactions(client, ids, options)
    ),
  describeProducers: (partitions, options) =>
    checked(
      "describeProducers",
      () => [partitionList(partitions, "partitions"), adminOptions(options, "options")],
      () => describeProducers(client, partitions, options)
    ),
  abortTransactions: (transactions, options) =>
    checked(
      "abortTransactions",
      () => [abortList(transactions, "transactions"), adminOptions(options, "options")],
      () => abortTransactions(client, transactions, options)
    ),
  fenceProducers: (ids, options) =>
    checked(
      "fenceProducers",
      () => [idList(ids, "ids"), adminOptions(options, "options")],
      () => fenceProducers(client, ids, options)
    )
})
