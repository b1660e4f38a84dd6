import { Effect } from "effect"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import type { AdminService } from "../../client/admin/admin.ts"

/** Where the cluster's groups are coordinated, as operators see it. */
export interface GroupCoordination {
  /** The brokers, in `__group_metadata`, for good; or the cluster's leader, in its journal. */
  readonly coordinatedBy: "brokers" | "leader"
  /** The leader hands its groups over as soon as so many brokers serve; null where the brokers have them already, or a setting keeps them at the leader. */
  readonly handoverAtBrokers: number | null
  /** The setting that keeps the groups at the leader: `NAME=VALUE`; null where none does. */
  readonly keptBy: string | null
}

/** How long the controller is asked for its settings, ms: the description of the cluster does not wait for one that does not respond. */
const settingsTimeoutMs = 5000

/** Reads where groups are coordinated; undefined where the cluster does not say: it is Apache Kafka, or the client may not read its settings. */
export const groupCoordination = (admin: AdminService, controllerId: number): Effect.Effect<GroupCoordination | undefined> => {
  const byLeader = Effect.map(admin.nodeConfigs(controllerId), (configs): GroupCoordination | undefined => {
    const valueOf = (name: string) => configs.find((config) => config.name === name)?.value
    const engine = valueOf("franz.groups.engine")
    if (engine === undefined) return undefined
    const replicas = Number(valueOf("offsets.topic.replication.factor"))
    const keptBy = engine === "leader" ? "franz.groups.engine=leader" : replicas === 1 ? "offsets.topic.replication.factor=1" : null
    return { coordinatedBy: "leader", handoverAtBrokers: keptBy === null ? replicas : null, keptBy }
  })
  return admin.topicConfigs(groupMetadataTopic).pipe(
    Effect.as<GroupCoordination>({ coordinatedBy: "brokers", handoverAtBrokers: null, keptBy: null }),
    Effect.catchTag("UnknownTopic", () => byLeader),
    Effect.timeout(settingsTimeoutMs),
    Effect.orElseSucceed(() => undefined)
  )
}

/** A line for the description of the cluster. */
export const groupCoordinationText = ({ coordinatedBy, handoverAtBrokers, keptBy }: GroupCoordination): string => {
  if (coordinatedBy === "brokers") return `groups: the brokers coordinate them, in the topic ${groupMetadataTopic}`
  if (keptBy !== null) return `groups: the leader coordinates them, in its journal (${keptBy})`
  return `groups: the leader coordinates them, in its journal, until ${handoverAtBrokers} brokers serve (offsets.topic.replication.factor); then the brokers do, for good`
}
