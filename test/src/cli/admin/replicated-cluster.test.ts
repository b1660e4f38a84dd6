import { expect, test } from "bun:test"
import { Effect } from "effect"
import { groupMetadataTopic } from "../../../../domain/cluster/topic/group-metadata.ts"
import { stateOf } from "../../../../src/cli/admin/doctor/command.ts"
import { findingsOf } from "../../../../src/cli/admin/doctor/findings.ts"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { leader, type RealCluster, withCluster } from "../../client/real-cluster.ts"

/** A third broker, with which the brokers coordinate the groups in a topic of three replicas; returns its number of partitions. */
const withGroupsOnBrokers = (cluster: RealCluster, admin: Admin["Type"]) =>
  Effect.gen(function* () {
    yield* cluster.startBroker(3)
    for (;;) {
      const found = (yield* admin.listTopics({ internal: true })).find(({ name }) => name === groupMetadataTopic)
      if (found !== undefined) return found.partitions.length
      yield* Effect.sleep(100)
    }
  })

test("the partitions of the groups count among those of a broker, views in other internal topics do not", () =>
  withCluster((cluster) =>
    Effect.gen(function* () {
      const admin = yield* Admin.make({ leader })
      const partitions = yield* withGroupsOnBrokers(cluster, admin)
      yield* admin.createTopics([{ topic: "orders", partitions: 2, replicationFactor: 3 }])
      const brokers = yield* admin.listBrokers
      expect(brokers.map(({ id, partitions }) => [id, partitions])).toEqual([1, 2, 3].map((id) => [id, partitions + 2]))
      expect(brokers.reduce((sum, { leads }) => sum + leads, 0)).toBe(partitions + 2)
    })
  ))

test("the doctor says that no leader of the cluster responds, instead of an error of a call, and what the brokers know", () =>
  withCluster((cluster) =>
    Effect.gen(function* () {
      const admin = yield* Admin.make({ leader: "broker1:9092" })
      yield* withGroupsOnBrokers(cluster, admin)
      yield* admin.createTopics([{ topic: "orders", partitions: 2, replicationFactor: 3 }])
      expect(findingsOf(yield* stateOf(admin)).filter(({ severity }) => severity === "problem")).toEqual([])
      yield* cluster.stop("leader")
      const state = yield* stateOf(admin)
      expect(state.brokers).toHaveLength(3)
      expect(findingsOf(state).map(({ kind, severity }) => [severity, kind])[0]).toEqual(["problem", "no cluster leader"])
    })
  ))
