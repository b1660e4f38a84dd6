import { expect, test } from "bun:test"
import { Effect, Exit } from "effect"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { replicaMutants } from "../../../simulation/mutant/replica-mutants.ts"
import { sequenced } from "../support.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, topicId, until } from "./support.ts"
import { followAfterUncleanElection } from "./unclean-election.ts"

/**
 * Mistakes of `test/simulation/mutant` that a run of the simulation reaches rarely or never, each in a directed scenario.
 * The scenario without the mistake holds, here or in a test of its own.
 */

const planted = async <A>(name: string, run: () => Promise<A>): Promise<A> => {
  const undo = replicaMutants.find((mutant) => mutant.name === name)?.plant?.()
  if (undo === undefined) throw new Error(`There is no mutant '${name}'.`)
  try {
    return await run()
  } finally {
    undo()
  }
}

/** The high watermark of a leader that restarts with records that only one replica has; min.insync.replicas is 2. */
const highWatermarkAfterRestart = (): Promise<number> => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const [first, second] = [yield* world.broker(1), yield* world.broker(2)]
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(yield* world.link(1), "both have it")).toEqual(["NONE", 0])
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      const to = yield* world.link(1)
      for (const offset of [1, 2]) expect(yield* produce(to, "the leader has it", 1)).toEqual(["NONE", offset])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(1000)
      return (yield* consume(yield* world.link(1), 0)).highWatermark
    })
  )
}

test("high-watermark-forgotten: a leader that restarts gives consumers what the ELR lacks", async () => {
  expect(await highWatermarkAfterRestart()).toBe(1)
  expect(await planted("high-watermark-forgotten", highWatermarkAfterRestart)).toBe(3)
})

test("epochs-not-cut: after an unclean election a replica does not follow, or not as its leader has it", async () => {
  const result = await planted("epochs-not-cut", () => Effect.runPromiseExit(Effect.tryPromise(() => followAfterUncleanElection(4, 0))))
  expect(Exit.isFailure(result)).toBe(true)
})

/** A fetch of a replica under another epoch: its error, and the high watermark afterwards, of one record that the replica does not have. */
const fetchUnder = (brokerEpochs: number, leaderEpochs: number) => (): Promise<readonly [error: string, highWatermark: number]> => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const to = yield* world.link(1)
      yield* Effect.sleep(1000)
      world.network.cut("broker-3", "broker-1")
      expect(yield* produce(to, "record", 1)).toEqual(["NONE", 0])
      const replicaEpoch = BigInt((brokerOf(leader.cluster(), 3)?.epoch ?? -1) + brokerEpochs)
      const currentLeaderEpoch = (partitionOf(leader)?.leaderEpoch ?? -1) + leaderEpochs
      const partition = { partition: 0, currentLeaderEpoch, fetchOffset: 1n, lastFetchedEpoch: 0, logStartOffset: 0n, partitionMaxBytes: 1_000_000 }
      const request = {
        replicaState: { replicaId: 3, replicaEpoch },
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1_000_000,
        topics: [{ topicId, partitions: [partition] }]
      }
      const { responses } = yield* to.call(Fetch, request, { version: 15 })
      yield* Effect.sleep(1000)
      return [kafkaError(responses[0]?.partitions[0]?.errorCode ?? -1), (yield* consume(to, 0)).highWatermark] as const
    })
  )
}

test.each([
  ["unfenced-fetch", 0, -1, "FENCED_LEADER_EPOCH"],
  ["old-broker-epoch", -1, 0, "NOT_LEADER_OR_FOLLOWER"]
] as const)("%s: a fetch under another epoch (broker %d, leader %d) commits a record", async (name, brokerEpochs, leaderEpochs, error) => {
  const run = fetchUnder(brokerEpochs, leaderEpochs)
  expect(await run()).toEqual([error, 0])
  expect(await planted(name, run)).toEqual(["NONE", 1])
})

/** The errors of a batch that the follower cannot fetch, and of the same batch when it is sent again. */
const sentTwice = (): Promise<ReadonlyArray<string>> => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const to = yield* world.link(1)
      world.network.cut("broker-2", "broker-1")
      const topicData = [{ name: "orders", partitionData: [{ index: 0, records: sequenced(["record"], 7n, 0) }] }]
      const send = Effect.map(to.call(Produce, { acks: -1, timeoutMs: 2000, topicData }, { version: 9 }), ({ responses }) =>
        kafkaError(responses[0]?.partitionResponses[0]?.errorCode ?? -1)
      )
      return [yield* send, yield* send]
    })
  )
}

test("duplicate-uncommitted: a batch that is sent again is acknowledged before it is committed", async () => {
  expect(await sentTwice()).toEqual(["REQUEST_TIMED_OUT", "REQUEST_TIMED_OUT"])
  expect(await planted("duplicate-uncommitted", sentTwice)).toEqual(["REQUEST_TIMED_OUT", "NONE"])
})
