/** Attacks on the memory of a node: what requests, answers and waiting work hold. */

import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { batchOf } from "../../bench/topic.ts"
import { type Aim, type Attack, scaled } from "../attack.ts"
import { pause, Raw, requestBytes } from "../raw.ts"

/** Just below the 100 MiB of socket.request.max.bytes. */
const hugeBytes = 104_000_000

const closeAll = (raws: ReadonlyArray<Raw>): void => {
  for (const raw of raws) raw.close()
}
const said = (raws: ReadonlyArray<Raw>): string => `${raws.length} connections, ${raws.filter(({ isOpen }) => isOpen).length} of them open at the end`

/** Holds what it has until the attack is over. */
const hold = async ({ goesOn }: Aim): Promise<void> => {
  while (goesOn()) await pause(50)
}

const waitingFetch = (topic: string, partitions: ReadonlyArray<number>, unknownTags?: ReadonlyArray<{ tag: number; data: Uint8Array }>): Uint8Array =>
  requestBytes(Fetch, 12, {
    maxWaitMs: 0x7fffffff,
    minBytes: 0x7fffffff,
    isolationLevel: 0,
    topics: [{ topic, partitions: partitions.map((partition) => ({ partition, fetchOffset: 0n, partitionMaxBytes: 1 << 20 })) }],
    forgottenTopicsData: [],
    rackId: "",
    unknownTags
  })

const fatWaits: Attack = {
  name: "fat-waits",
  about: "connections with a waiting Fetch of 100 MB each: what it waits for takes a hundred bytes, the rest is a tagged field that no version knows",
  run: async (aim) => {
    const frame = waitingFetch(aim.topic, [0], [{ tag: 99, data: new Uint8Array(hugeBytes) }])
    const raws: Array<Raw> = []
    for (let nth = scaled(aim, 40); nth > 0 && aim.goesOn(); nth--) {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) continue
      raws.push(raw)
      await raw.send(frame)
    }
    await hold(aim)
    const text = said(raws)
    closeAll(raws)
    return text
  }
}

const halfRequests: Attack = {
  name: "half-requests",
  about: "connections that send a part of a 100 MB request and stop",
  run: async (aim) => {
    const frame = waitingFetch(aim.topic, [0], [{ tag: 99, data: new Uint8Array(hugeBytes) }])
    const raws: Array<Raw> = []
    for (let nth = scaled(aim, 200); nth > 0 && aim.goesOn(); nth--) {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) continue
      raws.push(raw)
      await Promise.race([raw.send(frame.subarray(0, 1 + ((nth * 7_919_113) % (frame.length - 1)))), pause(2000)])
    }
    await hold(aim)
    const text = said(raws)
    closeAll(raws)
    return text
  }
}

const pipelines: Attack = {
  name: "pipelines",
  about: "connections that send Produce of 1 MB behind one another and never take an answer",
  run: async (aim) => {
    const raws: Array<Raw> = []
    const frame = requestBytes(Produce, 9, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: aim.topic, partitionData: [{ index: 1, records: batchOf(10, 100_000) }] }]
    })
    await Promise.all(
      Array.from({ length: scaled(aim, 50) }, async () => {
        const raw = await Raw.open(aim.port, { reads: false })
        if (raw === undefined) return
        raws.push(raw)
        for (let nth = 0; nth < scaled(aim, 200) && aim.goesOn() && raw.isOpen; nth++) await Promise.race([raw.send(frame), pause(1000)])
      })
    )
    const text = said(raws)
    closeAll(raws)
    return text
  }
}

const unreadAnswers: Attack = {
  name: "unread-answers",
  about: "connections that ask for 50 MB of records again and again and read nothing",
  run: async (aim) => {
    const writer = await Raw.open(aim.port)
    const full = { acks: 1, timeoutMs: 30_000, topicData: [{ name: aim.topic, partitionData: [{ index: 0, records: batchOf(10, 100_000) }] }] }
    for (let nth = 0; nth < 60 && writer?.isOpen === true; nth++) await writer.call(Produce, 9, full).catch(() => undefined)
    writer?.close()
    const frame = requestBytes(Fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      topics: [{ topic: aim.topic, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 50 << 20 }] }],
      forgottenTopicsData: [],
      rackId: ""
    })
    const raws: Array<Raw> = []
    for (let nth = scaled(aim, 100); nth > 0 && aim.goesOn(); nth--) {
      const raw = await Raw.open(aim.port, { reads: false })
      if (raw === undefined) continue
      raws.push(raw)
      for (let ask = 0; ask < 20; ask++) void raw.send(frame)
    }
    await hold(aim)
    const text = said(raws)
    closeAll(raws)
    return text
  }
}

const fatMembers: Attack = {
  name: "fat-members",
  about: "hundreds of members of one group, each with a megabyte of subscription, that wait for a rebalance of 24 days",
  run: async (aim) => {
    const raws: Array<Raw> = []
    for (let nth = scaled(aim, 300); nth > 0 && aim.goesOn(); nth--) {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) continue
      raws.push(raw)
      const protocols = [{ name: "range", metadata: new Uint8Array(1_040_000).fill(nth & 0xff) }]
      await raw.send(
        requestBytes(JoinGroup, 3, {
          groupId: "one",
          sessionTimeoutMs: 1_800_000,
          rebalanceTimeoutMs: 0x7fffffff,
          memberId: "",
          protocolType: "consumer",
          protocols
        })
      )
    }
    await hold(aim)
    const text = said(raws)
    closeAll(raws)
    return text
  }
}

const waitingPipelines: Attack = {
  name: "waiting-pipelines",
  about: "connections with a thousand waiting Fetches of all partitions behind one another",
  run: async (aim) => {
    const frame = waitingFetch(aim.topic, [0, 1, 2, 3])
    const burst = Buffer.concat(Array.from({ length: 1000 }, () => frame))
    const raws: Array<Raw> = []
    for (let nth = scaled(aim, 300); nth > 0 && aim.goesOn(); nth--) {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) continue
      raws.push(raw)
      await Promise.race([raw.send(burst), pause(1000)])
    }
    await hold(aim)
    const text = said(raws)
    closeAll(raws)
    return text
  }
}

export const memoryAttacks: ReadonlyArray<Attack> = [fatWaits, halfRequests, pipelines, unreadAnswers, fatMembers, waitingPipelines]
