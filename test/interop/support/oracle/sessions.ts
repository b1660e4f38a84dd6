import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { DeleteTopics } from "../../../../src/protocol/message/20-delete-topics.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { CreatePartitions } from "../../../../src/protocol/message/37-create-partitions.ts"
import type { RequestDraft } from "../../../../src/protocol/type/wire.ts"
import { until } from "../process.ts"
import { batch } from "./records.ts"
import type { Scenario, Side } from "./side.ts"

/** The records are from 1970: retention, which runs half a minute after a start, would delete them on both sides during these long scenarios. */
const kept = { "retention.ms": "-1" }

type Draft = RequestDraft<typeof Fetch>
type AskedOffsets = Readonly<Record<number, number>>

const topicOf = (topic: string, partitions: AskedOffsets, partitionMaxBytes = 1_000_000) => ({
  topic,
  partitions: Object.entries(partitions).map(([partition, from]) => ({ partition: Number(partition), fetchOffset: BigInt(from), partitionMaxBytes }))
})
const fill = (side: Side, name: string, index: number, count = 1) =>
  side.call(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData: [{ name, partitionData: [{ index, records: batch(count) }] }] })

/** A client's side of a fetch session: counts the epochs and keeps the id, which each node chooses. */
class Session {
  id = 0
  epoch = 0
  constructor(
    private readonly side: Side,
    private readonly version: number
  ) {}
  async ask(label: string, topics: Draft["topics"], more: Partial<Draft> = {}): Promise<void> {
    const request = { maxWaitMs: 0, minBytes: 0, maxBytes: 1_000_000, sessionId: this.id, sessionEpoch: this.epoch, topics, ...more }
    const answer = await this.side.ask(label, Fetch, this.version, request)
    if (answer === undefined || answer.errorCode !== 0) return
    this.id = answer.sessionId
    this.epoch = answer.sessionId === 0 ? 0 : this.epoch + 1
  }
}

/** One session by topic names, step by step. */
export const sessions: Scenario = async (side) => {
  await side.topic("watched", 3, kept)
  await side.topic("other", 1, kept)
  await fill(side, "watched", 0, 3)
  const session = new Session(side, 12)
  await session.ask("opened", [topicOf("watched", { 0: 0, 1: 0 }), topicOf("other", { 0: 0 })])
  await session.ask("nothing said", [])
  await session.ask("moved on", [topicOf("watched", { 0: 3 })])
  await session.ask("quiet", [])
  await fill(side, "watched", 1)
  await session.ask("a record came", [])
  await session.ask("and is still there", [])
  await session.ask("one more partition", [topicOf("watched", { 1: 1, 2: 0 })])
  await session.ask("one forgotten", [], { forgottenTopicsData: [{ topic: "watched", partitions: [1] }] })
  await fill(side, "watched", 1)
  await session.ask("what was forgotten is not told", [])
  await session.ask("one that is not there, forgotten", [], {
    forgottenTopicsData: [
      { topic: "watched", partitions: [7] },
      { topic: "nowhere", partitions: [0] }
    ]
  })
  await session.ask("out of range", [topicOf("watched", { 0: 99 })])
  await session.ask("out of range still", [])
  await session.ask("in range again", [topicOf("watched", { 0: 3 })])
  await session.ask("no such partition", [topicOf("watched", { 9: 0 })])
  await session.ask("no such partition still", [])
  await session.ask("no such topic", [topicOf("nowhere", { 0: 0 })], { forgottenTopicsData: [{ topic: "watched", partitions: [9] }] })
  await session.ask("no such topic, forgotten", [], { forgottenTopicsData: [{ topic: "nowhere", partitions: [0] }] })
  await session.ask("the same epoch again", [], { sessionEpoch: session.epoch - 1 })
  await session.ask("an epoch too far", [], { sessionEpoch: session.epoch + 1 })
  await session.ask("a negative epoch", [], { sessionEpoch: -2 })
  await session.ask("continues after that", [])
  await session.ask("waits, nothing comes", [], { maxWaitMs: 50, minBytes: 1 })
  await side.call(DeleteRecords, 2, { topics: [{ name: "watched", partitions: [{ partitionIndex: 0, offset: 2n }] }], timeoutMs: 10_000 })
  await session.ask("the start rose", [])
  await session.ask("the start rose, once", [])
  await session.ask("another leader epoch", [
    { topic: "watched", partitions: [{ partition: 2, fetchOffset: 0n, partitionMaxBytes: 10, currentLeaderEpoch: 9 }] }
  ])
  await session.ask("the epoch is right", [topicOf("watched", { 2: 0 })])
  await session.ask("by ids now", [], {})
  await side.ask("in version 13", Fetch, 13, { maxWaitMs: 0, minBytes: 0, sessionId: session.id, sessionEpoch: session.epoch, topics: [] })
  await session.ask("in version 12 still", [])
  await session.ask("everything forgotten", [], {
    forgottenTopicsData: [
      { topic: "watched", partitions: [0, 2] },
      { topic: "other", partitions: [0] }
    ]
  })
  await side.ask("after everything was forgotten", Fetch, 12, { maxWaitMs: 0, minBytes: 0, sessionId: 12_345, sessionEpoch: 3, topics: [] })
}

/** Sessions that end or are replaced, and topics that are deleted and created again. */
export const sessionEnds: Scenario = async (side) => {
  await side.topic("ending", 2, kept)
  await fill(side, "ending", 0, 2)
  const first = new Session(side, 12)
  await first.ask("opened", [topicOf("ending", { 0: 0 })])
  const { epoch, id } = first
  await first.ask("opened anew over it", [topicOf("ending", { 0: 0, 1: 0 })], { sessionEpoch: 0 })
  await side.ask("the one before", Fetch, 12, { maxWaitMs: 0, minBytes: 0, sessionId: id, sessionEpoch: epoch, topics: [] })
  first.epoch = 1
  await first.ask("the new one", [])
  const last = { sessionId: first.id, sessionEpoch: first.epoch }
  await first.ask("closed", [topicOf("ending", { 0: 1 })], { sessionEpoch: -1 })
  await side.ask("closed, asked again", Fetch, 12, { maxWaitMs: 0, minBytes: 0, ...last, topics: [] })
  await side.ask("opened with nothing", Fetch, 12, { maxWaitMs: 0, minBytes: 0, sessionEpoch: 0, topics: [] })
  await side.ask("opened in version 7", Fetch, 7, { maxWaitMs: 0, minBytes: 0, sessionEpoch: 0, topics: [topicOf("ending", { 1: 0 })] })
  const named = new Session(side, 12)
  await named.ask("opened by name", [topicOf("ending", { 0: 2, 1: 0 })])
  const oldId = await side.topic("ending-again", 1, kept)
  const byId = new Session(side, 17)
  const place = (topicId: string, fetchOffset = 0n) => ({ topicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1000 }] })
  await byId.ask("opened by id", [place(oldId)])
  await side.ask("by id, in version 12", Fetch, 12, { maxWaitMs: 0, minBytes: 0, sessionId: byId.id, sessionEpoch: byId.epoch, topics: [] })
  await side.call(DeleteTopics, 5, { topicNames: ["ending-again"], timeoutMs: 10_000 })
  const gone = async () => (await side.call(Metadata, 9, { topics: [{ name: "ending-again" }], allowAutoTopicCreation: false })).topics[0]?.errorCode === 3
  await until("the topic is gone", gone)
  await byId.ask("the topic is gone", [])
  const newId = await side.topic("ending-again", 1, kept)
  await fill(side, "ending-again", 0)
  await byId.ask("the topic is there again", [])
  await byId.ask("its new id", [place(newId)], { forgottenTopicsData: [{ topicId: oldId, partitions: [0] }] })
  await byId.ask("its new id, quiet", [place(newId, 1n)])
  await side.call(CreatePartitions, 3, { topics: [{ name: "ending", count: 3, assignments: null }], timeoutMs: 10_000, validateOnly: false })
  await side.led("ending", 3)
  await named.ask("a partition that was made", [topicOf("ending", { 2: 0 })])
}

/** Random steps from a seed: appends, and repeated fetches of a session with a small size limit. */
export const randomSession: Scenario = async (side) => {
  await side.topic("shuffled", 4, kept)
  let state = 5
  const below = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
  const session = new Session(side, 12)
  const ends = [0, 0, 0, 0]
  await session.ask("opened", [topicOf("shuffled", { 0: 0, 1: 0, 2: 0, 3: 0 })])
  for (let at = 0; at < 250; at++) {
    const partition = below(4)
    if (below(3) === 0) {
      const count = 1 + below(4)
      await fill(side, "shuffled", partition, count)
      ends[partition] = (ends[partition] ?? 0) + count
    }
    const asked = below(2) === 0 ? [] : [topicOf("shuffled", { [partition]: below((ends[partition] ?? 0) + 2) })]
    const forgottenTopicsData = below(12) === 0 ? [{ topic: "shuffled", partitions: [(partition + 1) % 4] }] : []
    // With room for a part of a batch Kafka sends that part, and counts it as records.
    const maxBytes = below(2) === 0 ? 1 : 1_000_000
    await session.ask(`${at}`, asked, { forgottenTopicsData, maxBytes })
  }
}
