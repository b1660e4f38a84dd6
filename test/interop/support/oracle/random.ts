import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { OffsetCommit } from "../../../../src/protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../../../src/protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../../../src/protocol/message/11-join-group.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../../../src/protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../../../src/protocol/message/14-sync-group.ts"
import { DescribeGroups } from "../../../../src/protocol/message/15-describe-groups.ts"
import { neverMs } from "./group.ts"
import { batch, sequenced, together } from "./records.ts"
import type { Scenario } from "./side.ts"

/** The same numbers for both sides, from a seed: a linear congruential generator suffices to choose cases. */
const dice = (seed: number) => {
  let state = seed
  const below = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
  return { below, of: <A>(...choices: ReadonlyArray<A>): A => choices[below(choices.length)] as A }
}

/** Two producers that repeat, skip and use old epochs, over two partitions: compares the offsets and the errors of each. */
export const randomSequences: Scenario = async (side) => {
  await side.topic("dice", 2)
  const { below, of } = dice(20)
  const next = new Map<string, { epoch: number; sequence: number }>()
  for (let at = 0; at < 400; at++) {
    const [producer, index] = [of(700_001n, 700_002n), below(2)]
    const key = `${producer} ${index}`
    const now = next.get(key) ?? { epoch: 0, sequence: 0 }
    const count = 1 + below(3)
    const epoch = now.epoch + of(0, 0, 0, 0, 0, 0, 0, 0, 1, -1)
    const sequence = epoch > now.epoch ? of(0, 0, 0, 1, now.sequence) : Math.max(0, now.sequence + of(0, 0, 0, 0, 0, 0, 1, -1, -2, -count))
    if (epoch < 0) continue
    const records = sequenced(producer, epoch, sequence, count)
    const draft = { acks: of(-1, 1), timeoutMs: 10_000, topicData: [{ name: "dice", partitionData: [{ index, records }] }] }
    const answer = await side.ask(
      `${at}: ${producer} in ${index}, epoch ${epoch} after ${now.epoch}, ${sequence}+${count} after ${now.sequence}`,
      Produce,
      9,
      draft
    )
    const { baseOffset, errorCode } = answer?.responses[0]?.partitionResponses[0] ?? { baseOffset: -1n, errorCode: -1 }
    if (errorCode === 0 && baseOffset >= 0n && (epoch > now.epoch || sequence === now.sequence)) next.set(key, { epoch, sequence: sequence + count })
  }
}

/** Batches with rising and falling timestamps, fetched from every offset with every limit, and listed by timestamp. */
export const randomReads: Scenario = async (side) => {
  await side.topic("times", 1)
  const { below, of } = dice(7)
  const place = { partition: 0 }
  for (let at = 0; at < 60; at++) {
    const records = Array.from({ length: 1 + below(5) }, () => ({ timestamp: 1000 + below(500), key: null, value: new Uint8Array(below(300)) }))
    const made = batch(1, { records, codec: of("none", "none", "zstd") })
    await side.call(Produce, 9, { acks: 1, timeoutMs: 10_000, topicData: [{ name: "times", partitionData: [{ index: 0, records: made }] }] })
  }
  for (let at = 0; at < 150; at++) {
    const [fetchOffset, partitionMaxBytes, maxBytes] = [BigInt(below(200) - 5), of(1, 100, 500, 2000, 100_000), of(1, 300, 3000, 1_000_000)]
    const topics = [{ topic: "times", partitions: [{ ...place, fetchOffset, partitionMaxBytes }] }]
    await side.ask(`${at}: from ${fetchOffset}, ${partitionMaxBytes} of ${maxBytes} bytes`, Fetch, 12, { maxWaitMs: 0, minBytes: 0, maxBytes, topics })
  }
  for (let at = 0; at < 150; at++) {
    const timestamp = BigInt(990 + below(520))
    await side.ask(`${at}: time ${timestamp}`, ListOffsets, 9, { replicaId: -1, topics: [{ name: "times", partitions: [{ partitionIndex: 0, timestamp }] }] })
  }
  await side.ask("latest", ListOffsets, 9, { replicaId: -1, topics: [{ name: "times", partitions: [{ partitionIndex: 0, timestamp: -3n }] }] })
  const several = { acks: 1, timeoutMs: 10_000, topicData: [{ name: "times", partitionData: [{ index: 0, records: together(batch(1), batch(2)) }] }] }
  await side.ask("several batches v3", Produce, 3, several)
}

/** One member that joins, syncs, sends heartbeats, commits and leaves in any order, with valid and invalid ids and generations; no request waits for another member. */
export const randomMember: Scenario = async (side) => {
  const { below, of } = dice(99)
  const groupId = "dice"
  let member = ""
  let generation = -1
  const protocols = () => [{ name: "range", metadata: new Uint8Array([0, 0, 0, 0, 0, 1, 0, 1, of(116, 116, 117), 255, 255, 255, 255]) }]
  const steps: Readonly<Record<string, (label: string) => Promise<unknown>>> = {
    join: async (label) => {
      const draft = {
        groupId,
        sessionTimeoutMs: neverMs,
        rebalanceTimeoutMs: neverMs,
        memberId: of(member, member, member, "stranger"),
        protocolType: "consumer",
        protocols: protocols()
      }
      const answer = await side.call(JoinGroup, 7, draft)
      if (answer.errorCode === 79) side.know((member = answer.memberId), `member of ${label}`)
      if (answer.errorCode === 0) generation = answer.generationId
      side.note(label, answer)
    },
    sync: (label) => side.ask(label, SyncGroup, 4, { ...who(), assignments: of([], [{ memberId: member, assignment: new Uint8Array([1, 2, 3]) }]) }),
    beat: (label) => side.ask(label, Heartbeat, 3, who()),
    commit: (label) => {
      const { generationId, memberId } = who()
      const partitions = [
        { partitionIndex: below(5), committedOffset: BigInt(below(100)), committedLeaderEpoch: of(-1, 0, 2), committedMetadata: of("", null, "m") }
      ]
      return side.ask(label, OffsetCommit, of(6, 8), {
        groupId,
        generationIdOrMemberEpoch: of(generationId, generationId, -1),
        memberId: of(memberId, memberId, ""),
        topics: [{ name: of("t", "t", "none"), partitions }]
      })
    },
    fetch: (label) => side.ask(label, OffsetFetch, 6, { groupId, topics: of(null, [{ name: "t", partitionIndexes: [0, 1, 2, 3, 4] }]) }),
    describe: (label) => side.ask(label, DescribeGroups, 5, { groups: [groupId] }),
    leave: async (label) => {
      const memberId = of(member, "stranger", "stranger")
      const answer = await side.ask(label, LeaveGroup, 3, { groupId, members: [{ memberId }] })
      if (memberId === member && answer?.members[0]?.errorCode === 0) member = ""
    }
  }
  const who = () => ({ groupId, generationId: generation + of(0, 0, 0, 0, 1, -1), memberId: of(member, member, member, member, "stranger", "") })
  const names = Object.keys(steps)
  for (let at = 0; at < 400; at++) {
    const step = of("join", "sync", ...names)
    await steps[step]?.(`${at}: ${step}`)
  }
}
