import { expect, test } from "bun:test"
import { Either, Schema } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { Event } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { ClusterSnapshot, fromSnapshot, toSnapshot } from "../../../domain/cluster/snapshot.ts"
import { brokerOf, initial, sortedTopics } from "../../../domain/cluster/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { decodeEvents, encodeEvents } from "../../../domain/kernel/decode-events.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import journal from "./data/journal-of-partition-events.json"
import { afterCommands, heartbeat } from "./support.ts"

/**
 * A journal in which a broker's fencing was followed by an event for each of its partitions, and the snapshot that the
 * version which wrote it took at its end.
 */
const decode = decodeEvents(Event)
const events = journal.events.map((json) => Either.getOrThrow(decode(json)))
const snapshot: unknown = journal.snapshot
const replayed = fold(evolve, initial, events)

test("given a journal with an event a partition, when it is replayed, then the state is the one that was snapshotted then", () => {
  expect(Schema.encodeSync(ClusterSnapshot)(toSnapshot(replayed))).toEqual(snapshot as typeof ClusterSnapshot.Encoded)
})
test("given such a snapshot, then it is read", () => {
  expect(toSnapshot(fromSnapshot(Schema.decodeUnknownSync(ClusterSnapshot)(snapshot)))).toEqual(toSnapshot(replayed))
})
test("given such events, when they are encoded again, then their bytes are unchanged", () => {
  const encode = encodeEvents(Event)
  expect(events.map((event) => ({ _tag: event._tag, ...encode(event) }))).toEqual(journal.events as ReadonlyArray<unknown> as Array<never>)
})
test("given such a journal, when its brokers are fenced and unfenced later, then one event a broker gives the state that one event a partition would", () => {
  const fence = Command.FenceBroker({ brokerId: 1 as BrokerId, brokerEpoch: brokerOf(replayed, 1)?.epoch ?? -1 })
  const fenced = afterCommands(replayed, fence)
  const back = afterCommands(fenced, heartbeat(1)(fenced))
  expect([fenced.index, back.index]).toEqual([replayed.index + 1, replayed.index + 2])
  for (const [n, topic] of sortedTopics(replayed).entries()) {
    for (const [index, before] of [...topic.partitions].entries()) {
      const away = sortedTopics(fenced)[n]?.partitions.at(index)
      const now = sortedTopics(back)[n]?.partitions.at(index)
      const led = before.leader === 1
      expect(away).toEqual({ ...before, ...(led ? { leader: -1, leaderEpoch: before.leaderEpoch + 1, partitionEpoch: before.partitionEpoch + 1 } : {}) })
      expect(now).toEqual({ ...before, ...(led ? { leaderEpoch: before.leaderEpoch + 2, partitionEpoch: before.partitionEpoch + 2 } : {}) })
    }
  }
})
