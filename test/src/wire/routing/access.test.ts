import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { Envelope } from "../../../../src/protocol/message/58-envelope.ts"
import { BrokerRegistration } from "../../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../../src/protocol/message/63-broker-heartbeat.ts"
import { AllocateProducerIds } from "../../../../src/protocol/message/67-allocate-producer-ids.ts"
import { apis } from "../../../../src/protocol/message/registry.ts"
import { connect } from "../../../../src/wire/link.ts"
import { route } from "../../../../src/wire/route.ts"
import { accessOf, isForBrokersOnly } from "../../../../src/wire/routing/access.ts"
import { anonymous, type Session } from "../../../../src/wire/session.ts"
import { beat, eventually, heartbeat, linkOptions, onStage, reply, transports } from "../harness.ts"

/**
 * Kafka 4.3's documentation, Security, Authorization and ACLs, table "Operations and Resources on Protocols": API key, then operation and resource of each row. Rows without an operation
 * (17, 18, 36, 39, 40, 71, 72 and the first of 38) have none here either.
 */
const documented = `
0 Write TransactionalId, IdempotentWrite Cluster, Write Topic; 1 ClusterAction Cluster, Read Topic; 2 Describe Topic; 3 Describe Topic, Create Cluster, Create Topic;
8 Read Group, Read Topic; 9 Describe Group, Describe Topic; 10 Describe Group, Describe TransactionalId; 11 Read Group; 12 Read Group; 13 Read Group; 14 Read Group; 15 Describe Group;
16 Describe Cluster, Describe Group; 17; 18; 19 Create Cluster, Create Topic; 20 Delete Topic; 21 Delete Topic; 22 Write TransactionalId, IdempotentWrite Cluster;
23 ClusterAction Cluster, Describe Topic; 24 Write TransactionalId, Write Topic; 25 Write TransactionalId, Read Group; 26 Write TransactionalId; 27 Alter Cluster, ClusterAction Cluster;
28 Write TransactionalId, Read Group, Read Topic; 29 Describe Cluster; 30 Alter Cluster; 31 Alter Cluster; 32 DescribeConfigs Cluster, DescribeConfigs Topic;
33 AlterConfigs Cluster, AlterConfigs Topic; 34 Alter Cluster; 35 Describe Cluster; 36; 37 Alter Topic; 38 CreateTokens User; 39; 40; 41 Describe DelegationToken, DescribeTokens User;
42 Delete Group; 43 ClusterAction Cluster; 44 AlterConfigs Cluster, AlterConfigs Topic; 45 Alter Cluster; 46 Describe Cluster; 47 Delete Group, Read Topic; 48 DescribeConfigs Cluster;
49 AlterConfigs Cluster; 50 Describe Cluster; 51 Alter Cluster; 52 ClusterAction Cluster; 53 ClusterAction Cluster; 54 ClusterAction Cluster; 55 Describe Cluster; 56 ClusterAction Cluster;
57 Alter Cluster; 58 ClusterAction Cluster; 59 ClusterAction Cluster; 60 Describe Cluster; 61 Read Topic; 62 ClusterAction Cluster; 63 ClusterAction Cluster; 64 Alter Cluster;
65 Describe TransactionalId; 66 Describe TransactionalId; 67 ClusterAction Cluster; 68 Read Group; 69 Describe Group; 70 ClusterAction Cluster; 71; 72; 73 ClusterAction Cluster;
74 DescribeConfigs Cluster; 75 Describe Topic; 76 Read Group; 77 Describe Group; 78 Read Group, Read Topic; 79 Read Group, Read Topic; 83 ClusterAction Cluster; 84 ClusterAction Cluster;
85 ClusterAction Cluster; 86 ClusterAction Cluster; 87 ClusterAction Cluster; 88 Read Group, Describe Topic, Create Topic; 89 Describe Group, Describe Topic;
90 Describe Group, Describe Topic; 91 Read Group, Read Topic; 92 Delete Group, Read Topic`
/** Not in that table: by the KIP of the API. For ElectLeaders Kafka's code and KIP-460 check Alter. */
const byKip: Readonly<Record<number, string>> = {
  43: "Alter Cluster",
  80: "Alter Cluster",
  81: "Alter Cluster",
  82: "ClusterAction Cluster",
  93: "Read Group",
  94: "Alter Cluster"
}

describe("what an API needs of its sender", () => {
  const rows = new Map(
    documented.split(";").map((row) => {
      const [, key = "", permissions = ""] = /^\s*(\d+)\s*(.*?)\s*$/s.exec(row) ?? []
      return [Number(key), permissions] as const
    })
  )
  test.each(apis.map((api) => [api.name, api.key] as const))("%s: the permissions of Kafka's documentation", (_, key) => {
    expect(accessOf(key)?.permissions.join(", ")).toBe(byKip[key] ?? rows.get(key) ?? "no row")
  })
  test("only what brokers send needs ClusterAction alone", () => {
    const nodes = apis.filter(({ key }) => isForBrokersOnly(key))
    expect(nodes.map(({ key }) => accessOf(key)?.permissions)).toEqual(nodes.map(() => ["ClusterAction Cluster"]))
    expect(nodes.map(({ key }) => key)).toEqual([52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82])
  })
})

describe.each(transports)("a server, %s", (_, layer) => {
  /** Registration binds the session, and a Heartbeat of a group shows it. */
  const routes = (sessions: Array<Session>) => [
    heartbeat((id, { session }) => {
      sessions.push(session)
      if (id > 1) session.throttleTimeMs = id
      return { errorCode: 0 }
    }),
    route(BrokerRegistration, {}, ({ brokerId }, { session }) => {
      session.bind({ id: brokerId, epoch: 1 }, () => {})
      return { errorCode: 0 }
    }),
    route(BrokerHeartbeat, {}, () => ({ errorCode: 0, shouldShutDown: false })),
    route(AllocateProducerIds, { refusal: { producerIdStart: -1n } }, () => ({ errorCode: 0, producerIdStart: 7n, producerIdLen: 1 })),
    route(Envelope, {}, () => ({ responseData: new Uint8Array(1), errorCode: 0 }))
  ]
  const asks = (to: Effect.Effect.Success<ReturnType<typeof connect>>) =>
    Effect.all([
      to.call(BrokerHeartbeat, { brokerId: 1, currentMetadataOffset: 0n, wantFence: false, wantShutDown: false }),
      to.call(AllocateProducerIds, { brokerId: 1 }),
      to.call(Envelope, { requestData: new Uint8Array(1), requestPrincipal: null, clientHostAddress: new Uint8Array(4) })
    ])

  test("takes what only brokers send from a connection on which a broker has registered", () =>
    onStage(layer(), routes([]), ({ address, lines }) =>
      Effect.gen(function* () {
        const to = yield* connect(address, linkOptions)
        const refused = yield* asks(to)
        expect(refused.map((one) => kafkaError(one.errorCode))).toEqual(refused.map(() => "CLUSTER_AUTHORIZATION_FAILED"))
        expect(refused).toMatchObject([{ isFenced: true, shouldShutDown: false }, { producerIdStart: -1n, producerIdLen: 0 }, { responseData: null }])
        yield* eventually("a line for each", () => lines.length === 3)
        expect(lines[0]?.text).toMatch(/^refused a request of test@.*BrokerHeartbeat, which this connection may not send/)
        yield* to.call(BrokerRegistration, { brokerId: 1, clusterId: "", incarnationId: "AAAAAAAAAAAAAAAAAAAAAA", listeners: [], features: [], rack: null })
        expect((yield* asks(to)).map((one) => one.errorCode)).toEqual([0, 0, 0])
      })
    ))
  test("lists none of that in ApiVersions", () =>
    onStage(layer(), routes([]), ({ address }) =>
      Effect.gen(function* () {
        const to = yield* connect(address, linkOptions)
        expect([to.versionOf(Heartbeat), to.versionOf(Envelope)]).toEqual([4, 0])
      })
    ))
  test("knows the client of each connection, and writes its throttle time into every response", () => {
    const sessions: Array<Session> = []
    return onStage(layer(), routes(sessions), ({ address }) =>
      Effect.gen(function* () {
        const [one, other] = [yield* connect(address, linkOptions), yield* connect(address, { ...linkOptions, clientId: "other" })]
        expect((yield* one.call(Heartbeat, beat(1))).throttleTimeMs).toBe(0)
        expect((yield* one.call(Heartbeat, beat(250))).throttleTimeMs).toBe(250)
        expect((yield* one.call(Heartbeat, beat(1))).throttleTimeMs).toBe(250)
        expect((yield* other.call(Heartbeat, beat(1))).throttleTimeMs).toBe(0)
        expect(sessions.map(({ clientId }) => clientId)).toEqual(["test", "test", "test", "other"])
        expect(new Set(sessions).size).toBe(2)
        expect(sessions[0]).toMatchObject({ principal: anonymous, software: { name: "comanche-franz" }, broker: undefined, isBroker: false })
        expect(sessions[0]?.software).toBe(sessions[3]?.software as NonNullable<Session["software"]>)
      })
    )
  })
})
test("a route of an API without a declaration cannot be made", () => {
  const unknown = { ...Heartbeat, key: 12_345 }
  expect(() => route(unknown, {}, () => reply(1))).toThrow("does not declare who may send Heartbeat")
})
