import { expect, test } from "bun:test"
import type { BrokerId } from "../../../../../domain/kernel/id.ts"
import { Replication } from "../../../../../src/broker/partition/leading/replication.ts"
import { fetchOf, ids, imageOf } from "../../../../domain/partition/support.ts"

test("a partition that had one replica acknowledges what its log has synced, although the high watermark is the log's end", () => {
  let durableEnd = 3
  // Consumers were given all five records (decision 7); a reassignment adds replicas while the sync of two is under way.
  const replication = new Replication(1 as BrokerId, imageOf({ isr: ids(1), minIsr: 1 }), {
    end: () => 5,
    start: () => 0,
    durableEnd: () => durableEnd,
    highWatermark: () => 5,
    endOfEpoch: (epoch) => ({ epoch, endOffset: 5 }),
    advanced: () => undefined,
    propose: () => undefined,
    elapsed: () => 0
  })
  const acknowledged: Array<number> = []
  for (const offset of [2, 3, 4]) replication.whenCommitted(offset, () => acknowledged.push(offset))
  expect([acknowledged, replication.isCommitted(2), replication.isCommitted(3)]).toEqual([[2], true, false])
  // A replica that catches up changes nothing about that.
  replication.fetched(fetchOf(2, 5))
  expect(acknowledged).toEqual([2])
  durableEnd = 4
  replication.synced()
  expect([acknowledged, replication.isCommitted(4)]).toEqual([[2, 3], false])
  durableEnd = 5
  replication.synced()
  expect([acknowledged, replication.isCommitted(4)]).toEqual([[2, 3, 4], true])
})
