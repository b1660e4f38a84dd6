import { Deferred, Effect, type Scope } from "effect"
import type { Coordinator } from "../../groups/coordinator.ts"
import { LogFault } from "../../ports/log-store.ts"
import { type UnreadableEvent, WriterStopped } from "../../stream/fault.ts"
import type { ClusterWriter } from "../journal/cluster-aggregate.ts"

const stoppedBy = (fault: LogFault | UnreadableEvent): WriterStopped =>
  new WriterStopped({
    stream: fault instanceof LogFault ? fault.path : fault.stream,
    reason: "journal",
    cause: fault,
    message: `The leader stops, since it cannot open the groups: ${fault.message}`
  })

/**
 * Opens the streams of groups while the leader leads: their former leases may end seconds after that of the cluster. Groups
 * get COORDINATOR_LOAD_IN_PROGRESS meanwhile. The effect that is returned fails where they cannot be opened.
 */
export const openGroupsBeside = (
  groups: Pick<Coordinator, "openStreams">,
  streams: ReadonlyArray<number>,
  writer: Pick<ClusterWriter, "stopped">
): Effect.Effect<Effect.Effect<never, WriterStopped>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const failed = yield* Deferred.make<never, WriterStopped>()
    const opening = Effect.raceFirst(groups.openStreams(streams), Effect.ignore(writer.stopped))
    yield* Effect.forkScoped(Effect.catchAll(opening, (fault) => Deferred.fail(failed, stoppedBy(fault))))
    return Deferred.await(failed)
  })
