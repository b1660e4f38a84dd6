import { Context, Effect, Queue, type Scope } from "effect"
import type { Event } from "../../../../domain/cluster/event.ts"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import { Checksum } from "../../../ports/checksum.ts"
import { Compression } from "../../../ports/compression.ts"
import { type LogFault, LogStore } from "../../../ports/log-store.ts"
import { BrokerContext } from "../../broker-context.ts"
import { CleanShutdown } from "../../clean-shutdown.ts"
import { DisownedReplicas } from "../../disowned-replicas.ts"
import { LostRecords } from "../../lost-records.ts"
import { MadeLogs } from "../../made-logs.ts"
import type { Trimming } from "../upkeep/trimming.ts"
import { runUpkeep } from "../upkeep/upkeep.ts"
import type { DirectoryMoves } from "./directory-moves.ts"
import { HostedLogs } from "./hosted-logs.ts"
import { reactTo } from "./reactions.ts"
import { makeReplicaSignals, type ReplicaSignals, wakeLooks } from "./replica-signals.ts"
import type { PartitionTable } from "./table.ts"

/** The partitions that have a replica on this broker, kept in step with the image. */
export class HostedPartitions extends Context.Tag("comanche-franz/broker/HostedPartitions")<
  HostedPartitions,
  {
    readonly table: PartitionTable
    readonly signals: ReplicaSignals
    /**
     * Opens the logs of this broker's partitions and deletes those of topics that were removed while it was stopped: once, when the image has caught up. Returns when each log
     * is open or has failed. Fails "corrupt" where the first offsets of the logs are not known. `hasGaps`: topics may have been removed that are not among `removed`.
     */
    readonly begin: (removed: ReadonlySet<TopicId>, hasGaps?: boolean) => Effect.Effect<void, LogFault>
    /** Applies events that the image has folded already. Roles change at once; logs are opened and removed in the background. */
    readonly apply: (events: ReadonlyArray<Event>) => void
    /** Raises the starts of logs, and deletes the records before them. */
    readonly raise: Trimming["raise"]
    /** Moves of replicas between the data directories. */
    readonly moves: DirectoryMoves
    /** Stops serving the partitions of data directories that are offline. */
    readonly leaveOffline: () => void
    /** Stops leading all partitions, whatever the image says from then on: the broker is about to end. */
    readonly stopLeading: () => void
  }
>() {
  static readonly make: Effect.Effect<
    HostedPartitions["Type"],
    never,
    BrokerContext | CleanShutdown | DisownedReplicas | LostRecords | MadeLogs | LogStore | Checksum | Compression | Scope.Scope
  > = Effect.gen(function* () {
    const context = yield* BrokerContext
    const { crc32c, walkRecords } = yield* Checksum
    const codecs = { crc32c, walkRecords, packing: yield* Compression }
    const signals = yield* makeReplicaSignals
    const services = {
      context,
      store: yield* LogStore,
      codecs,
      clock: yield* Effect.clock,
      signals,
      disowned: yield* DisownedReplicas,
      lost: yield* LostRecords,
      made: yield* MadeLogs
    }
    const logs = new HostedLogs(services, yield* Queue.sliding<void>(1))
    const { ended } = yield* CleanShutdown
    yield* Effect.addFinalizer(() => Effect.flatMap(logs.end, (isSynced) => (isSynced ? ended : Effect.void)))
    const trimming = yield* runUpkeep(logs, signals.looks.flushing)
    yield* Effect.forkScoped(logs.moves.run)
    const scope = yield* Effect.scope
    const react = reactTo(logs, context.nodeId)
    return {
      table: logs.table,
      moves: logs.moves,
      signals,
      begin: (removed, hasGaps) => Effect.asVoid(Effect.zipRight(logs.begin(removed, hasGaps), Effect.forkIn(logs.run, scope))),
      apply: (events) => {
        react(events)
        wakeLooks(signals)
      },
      raise: (all) => trimming.raise(all),
      leaveOffline: () => {
        for (const replica of logs.replicas()) replica.goOfflineWithDirectory()
      },
      stopLeading: () => {
        logs.roles.end()
        for (const replica of logs.replicas()) replica.stopLeading()
      }
    }
  })
}
