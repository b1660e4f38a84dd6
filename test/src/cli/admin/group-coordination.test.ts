import { expect, test } from "bun:test"
import { Effect } from "effect"
import { groupCoordination, groupCoordinationText } from "../../../../src/cli/admin/group-coordination.ts"
import type { AdminService } from "../../../../src/client/admin/admin.ts"
import { NodeRefused, UnknownTopic } from "../../../../src/client/error.ts"

/** A cluster with or without the topic of groups, whose controller has these settings; undefined: it does not tell them. */
const described = (hasTopic: boolean, settings: Readonly<Record<string, string>> | undefined) => {
  const configs = Object.entries(settings ?? {}).map(([name, value]) => ({ name, value }))
  const admin = {
    topicConfigs: (topic: string) => (hasTopic ? Effect.succeed([]) : Effect.fail(new UnknownTopic({ topic }))),
    nodeConfigs: (node: number) =>
      settings === undefined
        ? Effect.fail(new NodeRefused({ node: `node ${node}`, error: "BROKER_ID_NOT_REGISTERED", reason: "it is gone" }))
        : Effect.succeed(configs)
  } as unknown as AdminService
  const found = Effect.runSync(groupCoordination(admin, 1))
  return found === undefined ? undefined : groupCoordinationText(found)
}

test("the description of a cluster says where groups are coordinated, and when that changes", () => {
  const settings = (engine: string, replicas = "3") => ({ "franz.groups.engine": engine, "offsets.topic.replication.factor": replicas })
  expect(described(true, settings("leader"))).toBe("groups: the brokers coordinate them, in the topic __group_metadata")
  expect(described(false, settings("leader"))).toBe("groups: the leader coordinates them, in its journal (franz.groups.engine=leader)")
  expect(described(false, settings("partitions", "1"))).toBe("groups: the leader coordinates them, in its journal (offsets.topic.replication.factor=1)")
  expect(described(false, settings("partitions"))).toContain("until 3 brokers serve (offsets.topic.replication.factor); then the brokers do, for good")
})

test("Apache Kafka, and a controller that does not respond, say nothing of it", () => {
  expect(described(false, { "log.dirs": "/data" })).toBeUndefined()
  expect(described(false, undefined)).toBeUndefined()
})
