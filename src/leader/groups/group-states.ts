import { Context, Effect } from "effect"
import { limitsOf } from "../../../domain/group/limits.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import { groupStreamName, groupsAggregate } from "../../groups/groups-aggregate.ts"
import { Journal, type Snapshot } from "../../ports/journal.ts"
import type { LogFault } from "../../ports/log-store.ts"
import type { UnreadableEvent } from "../../stream/fault.ts"
import { replay } from "../../stream/replay.ts"
import { writeSnapshot } from "../../stream/snapshot.ts"
import { LeaderSettings } from "../settings.ts"

/** States that are kept at a time: as many as brokers read one each. */
const keptMax = 8

/**
 * The last states of the streams of groups in the journal, which the brokers that coordinate the groups begin with. The
 * cluster's leader appends to these streams no more, so that each reads the same at any time.
 */
export class GroupStates extends Context.Tag("comanche-franz/leader/GroupStates")<
  GroupStates,
  {
    /** Returns the state of a stream; without bytes where it never had an entry. It fences a leader before this one that takes itself for the coordinator. */
    readonly of: (index: number) => Effect.Effect<Snapshot, LogFault | UnreadableEvent>
  }
>() {
  static readonly make: Effect.Effect<GroupStates["Type"], never, Journal | LeaderSettings> = Effect.gen(function* () {
    const journal = yield* Journal
    const { config, nodeId } = yield* LeaderSettings
    const aggregate = groupsAggregate(limitsOf(config))
    const kept = new Map<number, Snapshot>()
    const oneAtATime = Effect.unsafeMakeSemaphore(1)
    const read = (index: number) =>
      Effect.gen(function* () {
        const stream = groupStreamName(index)
        const taken = yield* journal.campaign(stream, { nodeId })
        const fold = yield* replay<ReturnType<typeof aggregate.evolve>, Parameters<typeof aggregate.evolve>[1], Rejection>(journal, stream, aggregate, taken)
        const value = fold.end === 0 ? new Uint8Array(0) : writeSnapshot(aggregate, fold.state, fold.answers.applied())
        return { index: fold.end, value }
      })
    const readOnce = (index: number) =>
      Effect.suspend(() => {
        const known = kept.get(index)
        if (known !== undefined) return Effect.succeed(known)
        return Effect.tap(Effect.scoped(read(index)), (state) => {
          for (const oldest of kept.keys()) if (kept.size >= keptMax) kept.delete(oldest)
          kept.set(index, state)
        })
      })
    return { of: (index) => oneAtATime.withPermits(1)(readOnce(index)) }
  })
}
