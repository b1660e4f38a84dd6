import { expect, test } from "bun:test"
import { Schema } from "effect"
import { Event } from "../../../../domain/cluster/event.ts"
import * as R from "../../../../domain/cluster/replication/event.ts"
import { EventText } from "../../../../src/cli/admin/event-text.ts"

const topicId = "BvXgbDGDQkqSB0fKXyZf6Q" as never
const utf8 = new TextEncoder()
const text = new EventText()
/** The line of an event as the journal stores it, without its head and its end. */
const line = (event: Event | { readonly _tag: string; readonly [field: string]: unknown }): string => {
  const stored = event instanceof Object && "v" in event && !("topic" in event) ? Schema.encodeSync(Event)(event as Event) : event
  const record = {
    offset: 7,
    timestamp: 0,
    keyText: event._tag,
    text: JSON.stringify(stored),
    headers: [
      { key: "cause", value: utf8.encode("a cause") },
      { key: "actor", value: utf8.encode("leader") }
    ]
  }
  return text.line(record as never).replace(/^ *7 {2}\S+ {2}/, "")
}

test("events of replicas are in plain words, with the names of topics", () => {
  line({ _tag: "TopicAdded", topic: "orders", topicId })
  expect(
    line(
      new R.LeadersElected({
        topicId,
        reason: "fenced",
        rows: [
          [0, 2, 5, [2, 3], []],
          [1, -1, 6, [], [1]]
        ]
      } as never)
    )
  ).toBe(
    "LeadersElected        fenced: orders-0 has leader 2 (epoch 5), in sync 2,3; orders-1 has no leader (epoch 6), in sync none, eligible 1  (a cause, leader)"
  )
  expect(line(new R.InSyncSetsChanged({ topicId, reason: "caught up", by: 1, rows: [[0, [1, 2], []]] } as never))).toBe(
    "InSyncSetsChanged     caught up, by broker 1: orders-0 has in sync 1,2  (a cause, leader)"
  )
  expect(line(new R.InSyncSetsChanged({ topicId, reason: "fenced", by: null, rows: Array.from({ length: 8 }, (_, n) => [n, [1], []]) } as never))).toContain(
    "orders-4 has in sync 1; and 3 more"
  )
  expect(line(new R.ReassignmentBegan({ topicId, partition: 0, replicas: [4, 1, 3], adding: [4], removing: [3] } as never))).toContain(
    "orders-0 moves: adds 4, removes 3; replicas until then 4,1,3  (a cause, leader)"
  )
  expect(
    line(new R.ReassignmentEnded({ topicId, partition: 0, outcome: "cancelled", replicas: [1, 3], isr: [1], elr: [], leader: 1, leaderEpoch: 4 } as never))
  ).toContain("orders-0 has moved (cancelled): replicas 1,3, in sync 1, leader 1 (epoch 4)")
  expect(
    line(
      new R.LeaderElectedUncleanly({ topicId, partition: 0, leader: 3, leaderEpoch: 9, isr: [3], lastInSync: [1, 2], commandedBy: "tool@10.0.0.1" } as never)
    )
  ).toContain("orders-0 has leader 3 (epoch 9), which may lack records; 1,2 had all; commanded by tool@10.0.0.1")
  expect(line(new R.RecordsLost({ topicId, partition: 0, brokerId: 2, leaderEpoch: 3, from: 5, to: 8 } as never))).toContain(
    "orders-0: broker 2 removed the committed records 5 to 7, which the leader of epoch 3 lacks"
  )
  expect(line(new R.BrokerLeaving({ brokerId: 3, brokerEpoch: 1 } as never))).toContain("broker 3 shuts down")
  expect(line(new R.ReplicasDisowned({ brokerId: 3, brokerEpoch: 1, reason: "missing", rows: [[topicId, 0]] } as never))).toContain(
    "broker 3 has lost logs (missing): orders-0"
  )
})
test("an event with other fields than this version knows does not break the line", () => {
  expect(line({ _tag: "LeadersElected", rows: "none" })).toContain("LeadersElected")
  expect(line({ _tag: "constructor" })).toContain("constructor")
})
