import type { Command } from "../../../domain/cluster/command.ts"
import { clusterDecider } from "../../../domain/cluster/decide.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { clusterFold } from "../../../domain/cluster/fold.ts"
import { ClusterState } from "../../../domain/cluster/snapshot.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import type { Candidate } from "../../ports/journal.ts"
import type { Aggregate } from "../../stream/aggregate.ts"
import type { Standby } from "../../stream/standby.ts"
import type { Writer } from "../../stream/writer.ts"

/** The stream of the cluster's events; it is served as the topic of that name. */
export const clusterStream = metadataTopic

export const clusterAggregate: Aggregate<Cluster, Command, Event, Rejection> = {
  ...clusterDecider,
  ...clusterFold,
  state: ClusterState,
  unwritten: (message) => ({ error: "KAFKA_STORAGE_ERROR", message })
}
/** A standby of the cluster's stream, and what it knows of the process that leads. */
export interface ClusterStandby extends Standby<Cluster, Event, Rejection>, Pick<Candidate, "gone"> {}
export type ClusterWriter = Writer<Cluster, Command, Event, Rejection>
