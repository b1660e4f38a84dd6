import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import type { Endpoint, NodeOptions, Running, UpOptions } from "../../cli/node/roles.ts"
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
  /** The other candidates for the leader's role. */
  readonly otherLeaders?: ReadonlyArray<Endpoint>
  /** The id of the first; the nth has the nth id behind it, and the nth port behind the leader's. */
  readonly first: number
  readonly cluster: () => Cluster
}
type StartBrokers<E, R> = (brokers: BrokersOfProcess) => Effect.Effect<Running, E, R>

/** The directory of the candidate of a process. Fails where it has a journal in files. */
const candidateDirectory = (options: NodeOptions, advice: string): Effect.Effect<string, CliFailure> =>
  Effect.suspend(() => {
    const directory = join(journalDirectory(options), "leader")
    if (!existsSync(join(directory, `${metadataTopicId}-0`))) return Effect.succeed(directory)
    const message = `${directory} has a journal in files. ${advice}, or name another directory with --data; docs/operations/cluster.md says how a journal moves to an etcd that runs by itself.`
    return Effect.fail(new CliFailure({ exit: "config", message }))
  })

/** A candidate for the leader's role, on the node and the port of the options, and brokers on the ids and the ports behind it. They stop before it. */
const candidateAndBrokers = <E, R>(options: NodeOptions, directory: string, otherLeaders: ReadonlyArray<Endpoint>, startBrokers: StartBrokers<E, R>) =>
  Effect.gen(function* () {
    const known = yield* withKnownId({ ...options, data: [directory] as const }, directory)
    const nodeId = known.config["node.id"]
    const candidate = yield* withMetrics(nodeId)(startCandidate({ ...known, config: { ...known.config, "metadata.log.dir": "" } }))
    const brokers = yield* startBrokers({ leader: candidate.reached, otherLeaders, first: nodeId + 1, cluster: candidate.cluster })
    // The declarations of the package need the name of the type.
    const running: Running = {
      nodes: [{ id: nodeId, roles: ["leader"] as const, ...candidate.address }, ...brokers.nodes],
      stopped: firstFailure([Effect.mapError(candidate.failed, nodeFailure), brokers.stopped])
    }
    return running
  })

/** A cluster in this process whose journal is in an etcd of its own. */
export const upOverEtcd = <E, R>(options: UpOptions, startBrokers: StartBrokers<E, R>) =>
  Effect.gen(function* () {
    const directory = yield* candidateDirectory(options, "Leave --engine etcd out")
    const etcd = yield* ownEtcd(etcdDirectory(options))
    const journal = `etcd://${etcd.address}/franz`
    const own = { ...options, config: { ...options.config, "franz.journal": journal } }
    const { nodes, stopped } = yield* candidateAndBrokers(own, directory, options.candidates ?? [], startBrokers)
    const running: Running = { nodes, journal, stopped: firstFailure([etcd.failed, stopped]) }
    return running
  })

/** One of several processes with both roles, whose candidates share the journal of `franz.journal`: it leads or stands by, and its brokers serve either way. */
export const upOverSharedEtcd = <E, R>(options: UpOptions, startBrokers: StartBrokers<E, R>) =>
  Effect.gen(function* () {
    if (existsSync(etcdDirectory(options)))
      return yield* new CliFailure({
        exit: "config",
        message: `${options.data[0]} has its journal in an etcd of its own. Start it with --engine etcd and without franz.journal, or name another directory with --data.`
      })
    const directory = yield* candidateDirectory(options, "Leave franz.journal out")
    return yield* candidateAndBrokers(options, directory, options.candidates ?? [], startBrokers)
  })
