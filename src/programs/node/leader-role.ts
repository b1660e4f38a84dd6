import { Context, Effect, Layer } from "effect"
import { layer as layerJournal } from "../../../adapters/journal/over-log.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import type { NodeOptions } from "../../cli/node/roles.ts"
import type { ClusterStandby } from "../../leader/journal/cluster-aggregate.ts"
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

/** The leader over the journal in `directory`, whose directory is claimed for this node. */
const layerOver = ({ config, written }: NodeOptions, directory: string, standby?: ClusterStandby) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const nodeId = BrokerId.make(config["node.id"])
      const { claim, directories } = yield* LogStore
      const { clusterId } = yield* claim({ clusterId: undefined, nodeId })
      const partitionsPerBrokerMax = brokerPartitionsMax()
      return layer({ nodeId, config, written, partitionsPerBrokerMax, directories, clusterId, standby }).pipe(
        Layer.mapError((fault) => (config["franz.journal"] === "" ? withAdvice(fault, directory) : fault))
      )
    })
  )

const role = Effect.gen(function* () {
  const leader = yield* Leader
  const { claim, directories } = yield* LogStore
  yield* claim({ clusterId: leader.clusterId, nodeId: leader.nodeId })
  return { ...leader, stopped: Effect.raceFirst(leader.stopped, firstFailure(directories.map(lost))) }
})

/** The leader over a journal in `directory`. */
export const layerLeader = (
  options: NodeOptions,
  directory: string
): Layer.Layer<LeaderRole, DirectoryLocked | LogFault | ForeignDirectory | UnreadableEvent | WriterStopped, Checksum | Compression | Transport> =>
  Layer.effect(LeaderRole, role).pipe(
    Layer.provide(layerOver(options, directory)),
    Layer.provide(layerOf(options)),
    Layer.provide(layerStore(directory, options.config))
  )

/** The journal that several candidates share, with its copy in `directory`. */
export const layerShared = (options: NodeOptions, directory: string) => Layer.provideMerge(layerOf(options), layerStore(directory, options.config))

/** The leader over a journal that this candidate follows, once it has won. */
export const layerCandidate = (options: NodeOptions, directory: string, standby: ClusterStandby) =>
  Layer.provide(Layer.effect(LeaderRole, role), layerOver(options, directory, standby))
