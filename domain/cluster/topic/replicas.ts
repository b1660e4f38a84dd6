import type { Rejection } from "../../kernel/error-code.ts"
import { brokerOf, type Cluster } from "../state.ts"

/** Returns why brokers cannot be the replicas of a partition; undefined where each is registered, and is named once. */
export const replicasFault = (cluster: Cluster, partition: number, replicas: ReadonlyArray<number>): Rejection | undefined => {
  const fault = (message: string): Rejection => ({ error: "INVALID_REPLICA_ASSIGNMENT", message: `The assignment of partition ${partition} ${message}` })
  if (replicas.length === 0) return fault("includes an empty replica list.")
  if (new Set(replicas).size !== replicas.length) return fault("includes a broker more than once.")
  const unknown = replicas.find((id) => brokerOf(cluster, id) === undefined)
  return unknown === undefined ? undefined : fault(`includes broker ${unknown}, but no such broker is registered.`)
}
