import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import type { Endpoint, NodeOptions, Running } from "../../cli/node/roles.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import { startCandidate } from "./candidate.ts"
import { etcdDirectory, journalDirectory } from "./data-directories.ts"
import { firstFailure } from "./first-failure.ts"
import { withKnownId } from "./known-id.ts"
import { withMetrics } from "./metrics.ts"
import { nodeFailure } from "./node-failure.ts"
import { ownEtcd } from "./own-etcd.ts"

/** The brokers of a process, whose leader is at `leader`. */
export interface BrokersOfProcess {
  readonly leader: Endpoint
  /** The id of the first; the nth has the nth id behind it, and the nth port behind the leader's. */
  readonly first: number
  readonly cluster: () => Cluster
}

/**
 * A cluster in this process whose journal is in an etcd of its own: a candidate for the leader's role, on the node and the port of the options,
 * and brokers on the ids and the ports behind it.
 */
export const upOverEtcd = <E, R>(
  options: NodeOptions & { readonly brokers: number },
  startBrokers: (brokers: BrokersOfProcess) => Effect.Effect<Running, E, R>
) =>
  Effect.gen(function* () {
    const directory = join(journalDirectory(options), "leader")
    if (existsSync(join(directory, `${metadataTopicId}-0`)))
      return yield* new CliFailure({
        exit: "config",
        message: `${directory} has a journal in files. Leave --engine etcd out, or name another directory with --data; docs/operations/cluster.md says how a journal moves to an etcd that runs by itself.`
      })
    const etcd = yield* ownEtcd(etcdDirectory(options))
    const journal = `etcd://${etcd.address}/franz`
    const known = yield* withKnownId({ ...options, config: { ...options.config, "franz.journal": journal }, data: [directory] as const }, directory)
    const nodeId = known.config["node.id"]
    const candidate = yield* withMetrics(nodeId)(startCandidate({ ...known, config: { ...known.config, "metadata.log.dir": "" } }))
    const brokers = yield* startBrokers({ leader: candidate.reached, first: nodeId + 1, cluster: candidate.cluster })
    // The declarations of the package need the name of the type.
    const running: Running = {
      nodes: [{ id: nodeId, roles: ["leader"] as const, ...candidate.address }, ...brokers.nodes],
      journal,
      stopped: firstFailure([etcd.failed, Effect.mapError(candidate.failed, nodeFailure), brokers.stopped])
    }
    return running
  })
