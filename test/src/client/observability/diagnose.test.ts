import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { diagnose } from "../../../../src/client/observability/diagnose.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { DescribeQuorum } from "../../../../src/protocol/message/55-describe-quorum.ts"
import type { ResponseDraft } from "../../../../src/protocol/type/wire.ts"
import { route } from "../../../../src/wire/route.ts"
import { withCluster } from "../real-cluster.ts"
import { withFake } from "../support.ts"

/** The diagnosis of a cluster whose metadata is changed by the test. */
const diagnosed = (metadata: Partial<ResponseDraft<typeof Metadata>>, controllerAheadMs?: number) =>
  withFake((_, clock) => Effect.tap(diagnose({ leader: "node0:9092", requestTimeoutMs: 2000 }), () => Effect.sync(() => clock)), {
    nodes: 1,
    prepare: (fake) => {
      const replica = (now: number) => ({ replicaId: 0, logEndOffset: 1n, lastFetchTimestamp: BigInt(now), lastCaughtUpTimestamp: BigInt(now) })
      const quorum = (now: number) => {
        const partition = { partitionIndex: 0, errorCode: 0, leaderId: 0, leaderEpoch: 1, highWatermark: 1n, currentVoters: [replica(now)], observers: [] }
        return { errorCode: 0, topics: [{ topicName: "__cluster_metadata", partitions: [partition] }], nodes: [] }
      }
      const brokers = [{ nodeId: 0, host: "node0", port: 9092 }]
      fake.extraRoutes = [
        route(Metadata, {}, () => ({ brokers, clusterId: "fake", controllerId: 0, errorCode: 0, topics: [], ...metadata })),
        ...(controllerAheadMs === undefined
          ? []
          : [
              route(DescribeQuorum, {}, () =>
                Effect.map(
                  Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis),
                  (now) => quorum(now + controllerAheadMs)
                )
              )
            ])
      ]
    }
  })
const problems = ({ findings }: { readonly findings: ReadonlyArray<{ readonly level: string; readonly sentence: string }> }, level = "problem") =>
  findings.filter((finding) => finding.level === level).map(({ sentence }) => sentence)

const partition = (partitionIndex: number, leaderId: number, replicaNodes: Array<number>, isrNodes: Array<number>) => ({
  errorCode: 0,
  partitionIndex,
  leaderId,
  leaderEpoch: 1,
  replicaNodes,
  isrNodes,
  offlineReplicas: []
})

describe("diagnose", () => {
  test("finds nothing wrong with a cluster that serves", async () => {
    const { findings, healthy } = await withCluster(() => diagnose({ leader: "leader:9092" }))
    expect(findings.filter(({ level }) => level !== "ok")).toEqual([])
    expect(healthy).toBe(true)
    expect(new Set(findings.map(({ about }) => about))).toEqual(
      new Set(["bootstrap address", "advertised address", "controller", "partitions", "versions", "clock"])
    )
  })

  test("an advertised address that does not work from here, with what it may be", async () => {
    const brokers = [
      { nodeId: 4, host: "nowhere", port: 9092 },
      { nodeId: 5, host: "localhost", port: 9092 }
    ]
    const found = problems(await diagnosed({ brokers, controllerId: 4 }))
    expect(found).toEqual([
      expect.stringMatching(/^Node 4 advertises nowhere:9092, which does not work from here: .*check advertised\.listeners of node 4/),
      expect.stringMatching(/^Node 5 advertises localhost:9092, .*this machine's own address, and not the node's: set advertised\.listeners of node 5/)
    ])
  })

  test("no controller, no broker, partitions without leaders and replicas out of sync", async () => {
    const topics = [
      {
        errorCode: 0,
        name: "orders",
        topicId: "AAAAAAAAAAAAAAAAAAAAAA",
        isInternal: false,
        partitions: [partition(0, -1, [1], []), partition(1, 0, [0, 1], [0])]
      },
      { errorCode: errorCode("TOPIC_AUTHORIZATION_FAILED"), name: "secret", topicId: "AAAAAAAAAAAAAAAAAAAAAA", isInternal: false, partitions: [] }
    ]
    const diagnosis = await diagnosed({ controllerId: -1, topics })
    expect(diagnosis.healthy).toBe(false)
    expect(problems(diagnosis)).toEqual([
      expect.stringContaining("no controller at present"),
      expect.stringContaining("1 partitions have no leader: orders-0.")
    ])
    expect(problems(diagnosis, "warning")).toEqual([
      expect.stringContaining("1 partitions have replicas out of sync: orders-1."),
      expect.stringContaining("1 topics cannot be described: secret (TOPIC_AUTHORIZATION_FAILED).")
    ])
    expect(problems(await diagnosed({ brokers: [] }))).toEqual([expect.stringContaining("knows no broker that is ready")])
    expect(problems(await diagnosed({ controllerId: 7 }), "warning")).toEqual([expect.stringContaining("The controller is node 7, which is not among")])
  })

  test("a controller whose clock differs", async () => {
    expect(problems(await diagnosed({}, 3_600_000), "warning")).toEqual([
      expect.stringMatching(/^The clock of the controller is 3\d{6} ms ahead of this machine's/)
    ])
    expect(problems(await diagnosed({}, -60_000), "warning")).toEqual([
      expect.stringMatching(/^The clock of the controller is [56]\d{4} ms behind this machine's/)
    ])
    expect(problems(await diagnosed({}, 0), "warning")).toEqual([])
  })

  test("an address that nothing listens on, beside one that responds, is a warning; alone it is a problem", async () => {
    const both = await withFake(() => diagnose({ leader: "absent:9092,node0:9092" }))
    expect(both.healthy).toBe(true)
    expect(problems(both, "warning")).toEqual([expect.stringMatching(/^absent:9092 cannot be used: /)])
    const none = await withFake(() => diagnose({ leader: "absent:9092" }))
    expect(none).toMatchObject({ healthy: false, findings: [{ level: "problem", about: "bootstrap address" }] })
  })

  test("wrong options are refused as everywhere", async () => {
    expect(await withFake(() => Effect.flip(diagnose({ leader: "no port" })))).toMatchObject({ _tag: "InvalidAddress" })
    expect(await withFake(() => Effect.flip(diagnose(undefined as never)))).toMatchObject({ _tag: "InvalidArgument", call: "diagnose" })
  })
})
