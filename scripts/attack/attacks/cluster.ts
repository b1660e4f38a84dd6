/** Attacks on what the leader keeps: groups, brokers, topics, settings, and its journal. */
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { OffsetCommit } from "../../../src/protocol/message/08-offset-commit.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { InitProducerId } from "../../../src/protocol/message/22-init-producer-id.ts"
import { DescribeConfigs } from "../../../src/protocol/message/32-describe-configs.ts"
import { IncrementalAlterConfigs } from "../../../src/protocol/message/44-incremental-alter-configs.ts"
import { Envelope } from "../../../src/protocol/message/58-envelope.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../src/protocol/message/63-broker-heartbeat.ts"
import { type Attack, scaled } from "../attack.ts"
import { pause, Raw, requestBytes, withRaw } from "../raw.ts"

const uuid = (nth: number): string => new Uint8Array(new BigUint64Array([BigInt(nth + 1), 7n]).buffer).toBase64({ alphabet: "base64url", omitPadding: true })

/** Frames over one connection, `atOnce` under way at a time; returns how many were answered. A connection that the node ends is opened again. */
const flood = async (port: number, frames: Iterable<Uint8Array>, goesOn: () => boolean, atOnce = 50): Promise<number> => {
  let answered = 0
  const iterator = frames[Symbol.iterator]()
  for (let isOver = false; !isOver && goesOn(); ) {
    const raw = await Raw.open(port)
    if (raw === undefined) {
      await pause(100)
      continue
    }
    try {
      while (goesOn() && !isOver) {
        const batch: Array<Uint8Array> = []
        while (batch.length < atOnce) {
          const next = iterator.next()
          if (next.done === true) break
          batch.push(next.value)
        }
        isOver = batch.length === 0
        if (isOver) break
        const last = raw.frame()
        last.catch(() => undefined)
        await raw.send(batch[0] as Uint8Array)
        await last
        answered++
        for (const frame of batch.slice(1)) {
          const answer = raw.frame()
          answer.catch(() => undefined)
          await raw.send(frame)
          await answer
          answered++
        }
      }
    } catch {
      // The node has ended the connection: the next one continues.
    }
    raw.close()
  }
  return answered
}

function* numbered(count: number, make: (nth: number) => Uint8Array): Generator<Uint8Array> {
  for (let nth = 0; nth < count; nth++) yield make(nth)
}

const manyGroups: Attack = {
  name: "many-groups",
  about: "groups with names, client ids and member metadata as long as the protocol allows, one after the other",
  run: async (aim) => {
    const count = scaled(aim, 20_000)
    const answered = await flood(
      aim.port,
      numbered(count, (nth) =>
        requestBytes(
          JoinGroup,
          3,
          {
            groupId: `${"G".repeat(32_700)}${nth}`,
            sessionTimeoutMs: 1_800_000,
            rebalanceTimeoutMs: 60_000,
            memberId: "",
            protocolType: "consumer",
            protocols: [{ name: "range", metadata: new Uint8Array(1000) }]
          },
          "C".repeat(32_000)
        )
      ),
      aim.goesOn
    )
    return `${answered} joins were answered`
  }
}

const manyOffsets: Attack = {
  name: "many-offsets",
  about: "commits of offsets with metadata for thousands of groups and partitions",
  run: async (aim) => {
    const answered = await flood(
      aim.port,
      numbered(scaled(aim, 5000), (nth) =>
        requestBytes(OffsetCommit, 2, {
          groupId: `group-${nth}`,
          generationIdOrMemberEpoch: -1,
          memberId: "",
          retentionTimeMs: -1n,
          topics: [
            {
              name: aim.topic,
              partitions: Array.from({ length: 4 }, (_, partitionIndex) => ({
                partitionIndex,
                committedOffset: BigInt(nth),
                committedMetadata: "m".repeat(4000)
              }))
            },
            {
              name: "n".repeat(200),
              partitions: Array.from({ length: 1000 }, (_, partitionIndex) => ({ partitionIndex, committedOffset: 1n, committedMetadata: "m".repeat(100) }))
            }
          ]
        })
      ),
      aim.goesOn
    )
    return `${answered} commits were answered`
  }
}

const registration = (brokerId: number, host: string) =>
  requestBytes(BrokerRegistration, 0, {
    brokerId,
    clusterId: "",
    incarnationId: uuid(brokerId),
    listeners: [{ name: "PLAINTEXT", host, port: 9092, securityProtocol: 0 }],
    features: [],
    rack: null
  })

const ghosts: Attack = {
  name: "ghosts",
  about: "registrations of brokers that do not exist, with long names, then heartbeats that fence and unfence them and broker 0",
  run: async (aim) => {
    const registered = await flood(
      aim.port,
      numbered(scaled(aim, 5000), (nth) => registration(1 + nth, `${"h".repeat(200)}${nth}`)),
      aim.goesOn
    )
    function* beats(): Generator<Uint8Array> {
      for (let nth = 0; nth < scaled(aim, 200_000); nth++)
        for (const brokerId of [0, 1 + (nth % 3)])
          yield requestBytes(BrokerHeartbeat, 0, {
            brokerId,
            brokerEpoch: BigInt(nth % 40),
            currentMetadataOffset: 1n << 50n,
            wantFence: false,
            wantShutDown: nth % 2 === 0
          })
    }
    const beaten = await flood(aim.port, beats(), aim.goesOn)
    return `${registered} registrations and ${beaten} heartbeats were answered`
  }
}

const envelopes: Attack = {
  name: "envelopes",
  about: "Envelopes of a stranger, with a request in another client's name inside, with themselves inside, and with nothing inside",
  run: async (aim) => {
    const inner = requestBytes(CreateTopics, 5, {
      topics: [{ name: "from-an-envelope", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 1000
    }).subarray(4)
    const principals = [null, new Uint8Array(0), new TextEncoder().encode("admin"), new Uint8Array(30_000)]
    const nested = (depth: number): Uint8Array =>
      depth === 0
        ? inner
        : requestBytes(Envelope, 0, { requestData: nested(depth - 1), requestPrincipal: null, clientHostAddress: Uint8Array.of(127, 0, 0, 1) }).subarray(4)
    let answered = 0
    for (let nth = 0; nth < scaled(aim, 500) && aim.goesOn(); nth++)
      await withRaw(aim.port, async (raw) => {
        await raw.send(
          requestBytes(Envelope, 0, {
            requestData: [inner, nested(3), new Uint8Array(0), inner.subarray(0, 7)][nth % 4] as Uint8Array,
            requestPrincipal: principals[nth % principals.length] ?? null,
            clientHostAddress: [Uint8Array.of(127, 0, 0, 1), new Uint8Array(16), new Uint8Array(3)][nth % 3] as Uint8Array
          })
        )
        await raw.frame()
        answered++
      })
    return `${answered} Envelopes were answered`
  },
  verify: async ({ port }) => {
    const listed = await withRaw(port, (raw) => raw.call(Metadata, 9, { topics: null, allowAutoTopicCreation: false }))
    return listed?.topics.some(({ name }) => name === "from-an-envelope") === true ? "a stranger's Envelope made a topic" : undefined
  }
}

/** Settings that would lock all clients out, fill the disk, or stop the node, if they were taken as they are. */
const lockout: ReadonlyArray<readonly [name: string, value: string]> = [
  ["max.connections", "1"],
  ["max.connections.per.ip", "0"],
  ["message.max.bytes", "0"],
  ["log.segment.bytes", "14"],
  ["log.roll.ms", "1"],
  ["log.retention.ms", "0"],
  ["log.index.size.max.bytes", "12"],
  ["log.index.interval.bytes", "0"],
  ["log.flush.interval.messages", "1"],
  ["log.cleaner.io.max.bytes.per.second", "1"],
  ["producer.id.expiration.ms", "1"],
  ["min.insync.replicas", "30000"]
]
const settings: Attack = {
  name: "settings",
  about: "settings of all nodes at run time that would lock all clients out, each set, and then removed or set back",
  run: async (aim) => {
    const alter = (name: string, operation: number, value: string | null) =>
      withRaw(aim.port, (raw) =>
        raw.call(IncrementalAlterConfigs, 1, {
          resources: [{ resourceType: 4, resourceName: "", configs: [{ name, configOperation: operation, value }] }],
          validateOnly: false
        })
      )
    let taken = 0
    for (const [name, value] of lockout) {
      const set = await alter(name, 0, value)
      if (set?.responses[0]?.errorCode === 0) taken++
      await pause(200)
      // All nodes need one value of min.insync.replicas: it is set back, as in Kafka, where the others are removed.
      if (name === "min.insync.replicas") await alter(name, 0, "1")
      else await alter(name, 1, null)
    }
    return `${taken} of ${lockout.length} were taken`
  },
  verify: async ({ port }) => {
    const described = await withRaw(port, (raw) =>
      raw.call(DescribeConfigs, 4, {
        resources: [{ resourceType: 4, resourceName: "", configurationKeys: null }],
        includeSynonyms: false,
        includeDocumentation: false
      })
    )
    const result = described?.results[0]
    if (result === undefined || result.errorCode !== 0) return "the settings of all nodes were not described"
    const left = result.configs.filter(({ name, value }) => !(name === "min.insync.replicas" && value === "1"))
    return left.length === 0 ? undefined : `no way back from ${left.map(({ name, value }) => `${name}=${value}`).join(", ")}`
  }
}

const manyTopics: Attack = {
  name: "many-topics",
  about: "topics by the thousand: by CreateTopics with long settings, and by Metadata of names that are not there",
  run: async (aim) => {
    const answered = await flood(
      aim.port,
      numbered(scaled(aim, 300), (nth) =>
        nth % 2 === 0
          ? requestBytes(Metadata, 4, {
              topics: Array.from({ length: 100 }, (_, at) => ({ name: `auto-${nth}-${at}` })),
              allowAutoTopicCreation: true
            })
          : requestBytes(CreateTopics, 4, {
              topics: Array.from({ length: 20 }, (_, at) => ({
                name: `made-${nth}-${at}-${"x".repeat(200)}`,
                numPartitions: 10,
                replicationFactor: 1,
                assignments: [],
                configs: [{ name: "leader.replication.throttled.replicas", value: Array.from({ length: 3000 }, (_, id) => `${id}:0`).join(",") }]
              })),
              timeoutMs: 30_000
            })
      ),
      aim.goesOn
    )
    return `${answered} requests were answered`
  }
}

const producerIds: Attack = {
  name: "producer-ids",
  about: "producer ids by the hundred thousand",
  run: async (aim) => {
    const frame = requestBytes(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })
    return `${await flood(
      aim.port,
      numbered(scaled(aim, 200_000), () => frame),
      aim.goesOn
    )} ids were given`
  }
}

export const clusterAttacks: ReadonlyArray<Attack> = [manyGroups, manyOffsets, ghosts, envelopes, settings, manyTopics, producerIds]
