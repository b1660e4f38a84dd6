import { expect, test } from "bun:test"
import { Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { StreamKeys } from "../../../adapters/journal/etcd/keys.ts"
import { eventLevelFeature, knownEventLevel } from "../../../domain/cluster/event-level.ts"
import { toSnapshot } from "../../../domain/cluster/snapshot.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopics } from "../groups/support.ts"
import { CandidatesWorld, leaseMs } from "./candidates-world.ts"
import { heartbeat } from "./support.ts"

const joined = (to: Link, brokerId: number) =>
  Effect.gen(function* () {
    const { brokerEpoch } = yield* to.call(BrokerRegistration, {
      brokerId,
      clusterId: "",
      incarnationId: `I${String(brokerId).padStart(20, "0")}A`,
      listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port: 9000 + brokerId, securityProtocol: 0 }],
      features: [{ name: eventLevelFeature, minSupportedVersion: 1, maxSupportedVersion: knownEventLevel }],
      rack: null
    })
    yield* heartbeat(to, brokerId, brokerEpoch)
  })
test("given a candidate that was down while the journal on etcd was trimmed, when it starts and the leader dies, then it leads with the whole state", () => {
  const world = new CandidatesWorld({ "metadata.snapshot.interval.events": 100, "metadata.max.retention.bytes": 0, "broker.session.timeout.ms": 600_000 })
  /** The index of the first append that etcd has. A leader serves longer from its local copy, which loses whole segments. */
  const start = () => new StreamKeys("/franz", metadataTopic).indexOf(world.etcd.under(`/franz/${metadataTopic}/e/`)[0] ?? "")
  return world.run(
    Effect.gen(function* () {
      const first = yield* world.candidate(100)
      yield* world.until("100 leads", () => first.role()?.isLeading === true && first.role().cluster().leader !== undefined)
      const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      const before = yield* Scope.extend(world.candidate(101), scope)
      yield* world.until("101 stands by", () => (before.role()?.routes.length ?? 0) > 0)
      const broker = yield* world.link(first.address, "broker-1")
      yield* joined(broker, 1)
      yield* createTopics(broker, ["orders", 3])
      yield* world.until("101 has the topic", () => before.role().cluster().index === first.role().cluster().index)
      const index = before.role().cluster().index
      yield* Scope.close(scope, Exit.void)

      for (let n = 0; n < 20 && start() <= index; n++) {
        yield* createTopics(broker, [`filler-${n}`, 200])
        yield* broker.call(DeleteTopics, { topics: [{ name: `filler-${n}`, topicId: "AAAAAAAAAAAAAAAAAAAAAA" }], topicNames: [`filler-${n}`], timeoutMs: 5000 })
        yield* Effect.sleep(100)
      }
      expect(start()).toBeGreaterThan(index)

      const again = yield* world.candidate(101)
      yield* world.until("101 has followed", () => again.role()?.cluster().index === first.role().cluster().index)
      const { brokers, topics } = toSnapshot(first.role().cluster())
      world.etcd.stop("candidate-100")
      yield* Effect.sleep(leaseMs)
      yield* world.until("101 leads", () => again.role().isLeading && again.role().cluster().leader?.nodeId === 101)
      expect(toSnapshot(again.role().cluster())).toMatchObject({
        brokers: [{ id: brokers[0]?.id }],
        topics: topics.map(({ name, topicId }) => ({ name, topicId }))
      })
    })
  )
})
