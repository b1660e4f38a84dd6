import { Context, Effect, Layer, type Scope } from "effect"
import { layer as layerJournal } from "../../../adapters/journal/over-log.ts"
import { epochName, partitionOfStream } from "../../../adapters/journal/stream-partition.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import type { NodeOptions } from "../../cli/node/roles.ts"
import type { ClusterStandby } from "../../leader/journal/cluster-aggregate.ts"
import { eventsGone } from "../../leader/journal/cluster-stream.ts"
import { Leader, layer } from "../../leader/leader.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import { type DirectoryLocked, type ForeignDirectory, type LogDirectory, LogFault, LogStore } from "../../ports/log-store.ts"
import type { Transport } from "../../ports/transport.ts"
import { UnreadableEvent, type WriterStopped } from "../../stream/fault.ts"
import { movedTo } from "../journal/staged-directory.ts"
import { layerStore } from "./data-directories.ts"
import { firstFailure } from "./first-failure.ts"
import { brokerPartitionsMax } from "./process-memory.ts"

/**
 * A leader with its journal. `stopped` fails when the leader cannot continue, also since the directory of its journal
 * failed.
 */
export interface LeaderOverFiles extends Omit<Leader["Type"], "stopped"> {
  readonly stopped: Effect.Effect<never, WriterStopped | LogFault>
}

/** The leader of the cluster, as a role of this node. It does not listen yet. */
export class LeaderRole extends Context.Tag("comanche-franz/LeaderRole")<LeaderRole, LeaderOverFiles>() {}

/**
 * The journal in files, or in the engine that the settings name. The modules of an engine are loaded where it is
 * configured: a node over files starts without them.
 */
const layerOf = ({ config }: NodeOptions) =>
  config["franz.journal"] === ""
    ? layerJournal
    : Layer.unwrapEffect(
        Effect.map(
          Effect.promise(() => import("./etcd-journal.ts")),
          ({ layerEtcdJournal }) => layerEtcdJournal(config)
        )
      )

/** Adds the journal's directory and what to do to a fault of the journal, where its message does not name them. */
const withAdvice = (fault: LogFault | UnreadableEvent | WriterStopped, directory: string): LogFault | UnreadableEvent | WriterStopped => {
  if (fault.message.includes("franz log verify")) return fault
  const moved = movedTo(directory)
  if (moved !== undefined && fault._tag === "LogFault")
    return new LogFault({ ...fault, message: `${fault.message} It was moved to ${moved} (franz journal move): start this node with franz.journal there.` })
  const message = `${fault.message} The journal is in ${directory}: \`franz log verify ${directory}\` shows all that is wrong there; restore the directory from a copy.`
  if (fault._tag === "UnreadableEvent") return new UnreadableEvent({ ...fault, message })
  return fault._tag === "LogFault" && fault.reason === "corrupt" ? new LogFault({ ...fault, message }) : fault
}

/** Fails when a directory fails: a leader without its journal decides nothing more. */
const lost = ({ failed }: LogDirectory): Effect.Effect<never, LogFault> =>
  Effect.flatMap(failed, ({ cause, message, path, reason }) =>
    Effect.fail(new LogFault({ path, reason, cause, message: `The leader stops: its journal cannot be trusted. ${message}` }))
  )

/**
 * Refuses a directory that a leader has used and that has no journal any more, before the journal is opened: that would
 * leave an empty one, in the way of `franz journal move`.
 */
const mustHaveJournal = ({ list, readCheckpoint }: LogStore["Type"], clusterId: string | undefined): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    if (clusterId === undefined || (yield* list).some(({ topicId }) => topicId === metadataTopicId)) return
    // Where its epoch is left, the journal refuses by itself, and names its log.
    const at = partitionOfStream(metadataTopic)
    if (at === undefined || (yield* readCheckpoint(epochName(at))).length === 0) return yield* eventsGone(clusterId)
  })

/** The leader over the journal in `directory`, whose directory is claimed for this node. */
const leaderOver = ({ config, written }: NodeOptions, directory: string, standby?: ClusterStandby) =>
  Effect.gen(function* () {
    const nodeId = BrokerId.make(config["node.id"])
    const store = yield* LogStore
    const { claim, directories } = store
    const { clusterId } = yield* claim({ clusterId: undefined, nodeId })
    const partitionsPerBrokerMax = brokerPartitionsMax()
    const isOverFiles = config["franz.journal"] === ""
    const building = Layer.build(layer({ nodeId, config, written, partitionsPerBrokerMax, directories, clusterId, standby }))
    const built = yield* Effect.mapError(isOverFiles ? Effect.zipRight(mustHaveJournal(store, clusterId), building) : building, (fault) =>
      isOverFiles ? withAdvice(fault, directory) : fault
    )
    const leader = Context.get(built, Leader)
    yield* claim({ clusterId: leader.clusterId, nodeId: leader.nodeId })
    return LeaderRole.of({ ...leader, stopped: Effect.raceFirst(leader.stopped, firstFailure(directories.map(lost))) })
  })

type Needed = Checksum | Compression | Transport | Scope.Scope

/** The leader over a journal in `directory`, until the scope closes. */
export const openLeader = (
  options: NodeOptions,
  directory: string
): Effect.Effect<LeaderOverFiles, DirectoryLocked | LogFault | ForeignDirectory | UnreadableEvent | WriterStopped, Needed> =>
  Effect.gen(function* () {
    const store = yield* Layer.build(layerStore(directory, options.config))
    const journal = yield* Effect.provide(Layer.build(layerOf(options)), store)
    return yield* Effect.provide(leaderOver(options, directory), Context.merge(store, journal))
  })

/** The journal that several candidates share, with its copy in `directory`. */
export const layerShared = (options: NodeOptions, directory: string) => Layer.provideMerge(layerOf(options), layerStore(directory, options.config))

/** The leader over a journal that this candidate follows, once it has won. */
export const layerCandidate = (options: NodeOptions, directory: string, standby: ClusterStandby) =>
  Layer.scoped(LeaderRole, leaderOver(options, directory, standby))
