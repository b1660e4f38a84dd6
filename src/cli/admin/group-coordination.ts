import { Effect } from "effect"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import type { AdminService } from "../../client/admin/admin.ts"

/** Where the cluster's groups are coordinated, as operators see it. */
export interface GroupCoordination {
  /** The brokers, in `__group_metadata`, for good; or the cluster's leader, in its journal. */
  readonly coordinatedBy: "brokers" | "leader"
  /** The leader hands its groups over as soon as so many brokers serve; null where the brokers have them already, or `franz.groups.engine` is leader. */
  readonly handoverAtBrokers: number | null
}

/** How long the controller is asked for its settings, ms: the description of the cluster does not wait for one that does not respond. */
const settingsTimeoutMs = 5000

/** Reads where groups are coordinated; undefined where the cluster does not say: it is Apache Kafka, or the client may not read its settings. */
export const groupCoordination = (admin: AdminService, controllerId: number): Effect.Effect<GroupCoordination | undefined> => {
  const byLeader = Effect.map(admin.nodeConfigs(controllerId), (configs): GroupCoordination | undefined => {
    const valueOf = (name: string) => configs.find((config) => config.name === name)?.value
    const engine = valueOf("franz.groups.engine")
    if (engine === undefined) return undefined
    return { coordinatedBy: "leader", handoverAtBrokers: engine === "partitions" ? Number(valueOf("offsets.topic.replication.factor")) : null }
  })
  return admin.topicConfigs(groupMetadataTopic).pipe(
    Effect.as<GroupCoordination>({ coordinatedBy: "brokers", handoverAtBrokers: null }),
    Effect.catchTag("UnknownTopic", () => byLeader),
    Effect.timeout(settingsTimeoutMs),
    Effect.orElseSucceed(() => undefined)
  )
}

/** A line for the description of the cluster. */
export const groupCoordinationText = ({ coordinatedBy, handoverAtBrokers }: GroupCoordination): string => {
  if (coordinatedBy === "brokers") return `groups: the brokers coordinate them, in the topic ${groupMetadataTopic}`
  if (handoverAtBrokers === null) return "groups: the leader coordinates them, in its journal (franz.groups.engine=leader)"
  return `groups: the leader coordinates them, in its journal, until ${handoverAtBrokers} brokers serve (offsets.topic.replication.factor); then the brokers do, for good`
}
