import { Either } from "effect"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { DescribeTransactions } from "../../protocol/message/65-describe-transactions.ts"
import { ListTransactions } from "../../protocol/message/66-list-transactions.ts"
import { type Route, route } from "../../wire/route.ts"

/** The states of Kafka's transactions that a filter may name. */
const states = new Set(["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"])
const patternCharactersMax = 1000

/** Whether Kafka accepts it as a pattern (RE2): JavaScript's syntax, with inline flags and `(?P<name>…)` groups. */
const isPattern = (pattern: string): boolean =>
  pattern.length <= patternCharactersMax &&
  Either.isRight(
    Either.try(
      () =>
        new RegExp(
          pattern
            .replaceAll(/\(\?[imsU-]+\)/g, "")
            .replaceAll("(?P<", "(?<")
            .replaceAll(/\(\?[imsU-]+:/g, "(?:")
        )
    )
  )

const described = (transactionalId: string) => ({
  errorCode: errorCode(transactionalId === "" ? "INVALID_REQUEST" : "TRANSACTIONAL_ID_NOT_FOUND"),
  transactionalId,
  transactionState: "",
  transactionTimeoutMs: 0,
  transactionStartTimeMs: 0n,
  producerId: 0n,
  producerEpoch: 0,
  topics: []
})

/**
 * ListTransactions 0-2 and DescribeTransactions 0 (KIP-664) of a cluster without transactions: the list is empty, and every transactional id is TRANSACTIONAL_ID_NOT_FOUND, on
 * every node. The response has a duplicate id once. A pattern that is malformed, or over 1,000 characters long, is INVALID_REGULAR_EXPRESSION.
 */
export const transactionRoutes: ReadonlyArray<Route> = [
  route(ListTransactions, {}, ({ stateFilters, transactionalIdPattern }) => {
    if (transactionalIdPattern !== null && !isPattern(transactionalIdPattern))
      return { errorCode: errorCode("INVALID_REGULAR_EXPRESSION"), unknownStateFilters: [], transactionStates: [] }
    const unknownStateFilters = [...new Set(stateFilters)].filter((state) => !states.has(state))
    return { errorCode: 0, unknownStateFilters, transactionStates: [] }
  }),
  route(DescribeTransactions, {}, ({ transactionalIds }) => ({ transactionStates: [...new Set(transactionalIds)].map(described) }))
]
