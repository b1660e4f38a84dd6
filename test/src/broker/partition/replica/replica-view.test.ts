import { expect, test } from "bun:test"
import { Either } from "effect"
import type { TopicConfig } from "../../../../../domain/kernel/config.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import { ReplicaView } from "../../../../../src/broker/partition/replica/replica-view.ts"
import { ReplicationQuota } from "../../../../../src/broker/partition/replica/replication-quota.ts"
import type { LogFault, PartitionLog } from "../../../../../src/ports/log-store.ts"
import { Pass } from "../../../../../src/serve/fetch/fetch-pass.ts"
import { watchSources } from "../../../../../src/serve/fetch/fetch-wait.ts"
import { batch, topicId } from "../../../ports/log-batches.ts"

/** A partition of brokers 1, 2 and 3, which broker 1 leads, with the records that the test appends. */
const partition = () => {
  const records: Array<Uint8Array> = []
  const faults: Array<LogFault> = []
  const checked = { count: 0 }
  const end = () => records.length
  const log = { end, sparseEnd: () => 0, read: (from: number) => Either.right(records.slice(from)) } as unknown as PartitionLog
  const replica = {
    topic: "orders",
    topicId,
    partition: 0,
    config: { "leader.replication.throttled.replicas": "" } as TopicConfig,
    replication: { isr: [1, 2, 3], fetched: () => undefined },
    leaderEpoch: () => 0,
    start: () => 0,
    end,
    highWatermark: () => 0,
    read: () => Either.right([]),
    batchAtTime: () => Either.right(undefined),
    onAdvance: () => () => undefined,
    failed: (fault: LogFault) => {
      faults.push(fault)
      return fault
    }
  }
  const counting: typeof crc32c = (...args) => {
    checked.count++
    return crc32c(...args)
  }
  const leaderQuota = new ReplicationQuota(
    "leader.replication.throttled.replicas",
    () => Number.MAX_SAFE_INTEGER,
    () => 0
  )
  const view = new ReplicaView(replica, log, counting, { nodeId: 1 as never, leaderQuota })
  const find = () => view
  const fetch = (broker: number, from: number) => {
    const pass = new Pass({ find, findLeader: () => undefined as never }, 17, 0, 1_000_000, { broker: { id: broker, brokerEpoch: 1 } })
    const answer = pass.take({ ref: { topicId }, index: 0, from, bytesMax: 1_000_000, epoch: 0, lastEpoch: -1, logStart: 0 })
    return { answer, waits: (enough: () => void) => watchSources(find, pass.sources, 1)(enough) }
  }
  const append = () => {
    records.push(batch(records.length, 1).bytes)
    view.wake()
  }
  return { append, checked, faults, fetch, records }
}

test("records that replicas wait for are not checked: only what a replica asks for again is", () => {
  const { append, checked, fetch } = partition()
  for (let from = 0; from < 3; from++) {
    const woken: Array<number> = []
    for (const broker of [2, 3]) fetch(broker, from).waits(() => void woken.push(broker))
    append()
    expect(woken).toEqual([2, 3])
    for (const broker of [2, 3]) expect(fetch(broker, from).answer.records?.length).toBe(1)
  }
  expect(checked.count).toBe(0)
  fetch(3, 2)
  expect(checked.count).toBe(1)
})

test("a batch whose header is no header any more is damage, too", () => {
  const { append, faults, fetch, records } = partition()
  append()
  ;(records[0] as Uint8Array)[16] = 9
  expect(fetch(2, 0).answer.errorCode).toBe(0)
  expect(fetch(2, 0).answer.errorCode).toBe(56)
  expect(faults.map(({ reason }) => reason)).toEqual(["corrupt"])
})
