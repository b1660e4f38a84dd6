import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { FindCoordinator } from "../../../../src/protocol/message/10-find-coordinator.ts"
import { DescribeProducers } from "../../../../src/protocol/message/61-describe-producers.ts"
import { DescribeTransactions } from "../../../../src/protocol/message/65-describe-transactions.ts"
import { ListTransactions } from "../../../../src/protocol/message/66-list-transactions.ts"
import { until } from "../process.ts"
import { batch } from "./records.ts"
import type { Scenario } from "./side.ts"

export const producers: Scenario = async (side) => {
  await side.topic("produced", 2)
  const describe = (label: string, ...topics: ReadonlyArray<readonly [name: string, ...partitionIndexes: ReadonlyArray<number>]>) =>
    side.ask(label, DescribeProducers, 0, { topics: topics.map(([name, ...partitionIndexes]) => ({ name, partitionIndexes })) })
  const produce = (records: Uint8Array) =>
    side.call(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData: [{ name: "produced", partitionData: [{ index: 0, records }] }] })
  await describe("before any", ["produced", 0])
  await produce(batch(3))
  await describe("without an id", ["produced", 0])
  await produce(batch(2, { producerId: 7001n, producerEpoch: 3, baseSequence: 0 }))
  await produce(batch(2, { producerId: 7001n, producerEpoch: 3, baseSequence: 2 }))
  await produce(batch(1, { producerId: 7002n, producerEpoch: 0, baseSequence: 0 }))
  await describe("two", ["produced", 0, 1])
  await describe("unknown partition", ["produced", 7])
  await describe("negative partition", ["produced", -1])
  await describe("unknown topic", ["nowhere", 0])
  await describe("illegal topic", ["no where", 0])
  await describe("partition twice", ["produced", 0, 0])
  await describe("topic twice", ["produced", 0], ["produced", 1])
  await describe("no partition", ["produced"])
  await describe("nothing")
}

export const transactions: Scenario = async (side) => {
  const none = { stateFilters: [], producerIdFilters: [] }
  await side.each("list", ListTransactions, [0, 1, 2], () => none)
  await side.ask("list by state", ListTransactions, 1, { ...none, stateFilters: ["Ongoing", "Empty"] })
  await side.ask("list by an unknown state", ListTransactions, 1, { ...none, stateFilters: ["Ongoing", "Asleep", "Asleep", "ongoing"] })
  await side.ask("list by every state", ListTransactions, 1, {
    ...none,
    stateFilters: [
      "Empty",
      "Ongoing",
      "PrepareCommit",
      "PrepareAbort",
      "CompleteCommit",
      "CompleteAbort",
      "Dead",
      "PrepareEpochFence",
      "PrepareEpochBump",
      "Unknown"
    ]
  })
  await side.ask("list by producer", ListTransactions, 1, { ...none, producerIdFilters: [1n] })
  await side.ask("list by age", ListTransactions, 1, { ...none, durationFilter: 1000n })
  await side.ask("list by pattern", ListTransactions, 2, { ...none, transactionalIdPattern: "a.*" })
  await side.ask("list by an empty pattern", ListTransactions, 2, { ...none, transactionalIdPattern: "" })
  await side.ask("list by a wrong pattern", ListTransactions, 2, { ...none, transactionalIdPattern: "(a" })
  await until("the coordinator of transactions is there", async () =>
    (await side.call(FindCoordinator, 4, { keyType: 1, coordinatorKeys: ["a", "b"] })).coordinators.every(({ errorCode }) => errorCode === 0)
  )
  await until("it has loaded its transactions", async () =>
    (await side.call(DescribeTransactions, 0, { transactionalIds: ["a", "b"] })).transactionStates.every(
      ({ errorCode }) => kafkaError(errorCode) === "TRANSACTIONAL_ID_NOT_FOUND"
    )
  )
  await side.ask("describe", DescribeTransactions, 0, { transactionalIds: ["a"] })
  await side.ask("describe two", DescribeTransactions, 0, { transactionalIds: ["a", "b"] })
  await side.ask("describe one twice", DescribeTransactions, 0, { transactionalIds: ["a", "a"] })
  await side.ask("describe nothing", DescribeTransactions, 0, { transactionalIds: [] })
  await side.ask("describe no id", DescribeTransactions, 0, { transactionalIds: [""] })
}
