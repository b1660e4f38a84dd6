import type { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import type { Leader } from "../../../src/leader/leader.ts"
import type { Journal } from "../../../src/ports/journal.ts"
import type { LogStore } from "../../../src/ports/log-store.ts"
import type { Route } from "../../../src/wire/route.ts"
import type { Options } from "../options.ts"

/** A mistake that is planted into a run, around the real parts: what is absent is as it should be. */
export interface Mutant {
  readonly name: string
  /** What goes wrong, in a sentence. */
  readonly mistake: string
  /** In which runs it can do harm; absent: in all. */
  readonly showsIn?: (options: Options) => boolean
  /** It does harm where partitions have several replicas, and is planted into such runs. */
  readonly isReplicated?: boolean
  /** It does harm where brokers coordinate groups, and is planted into such runs. */
  readonly isOfGroups?: boolean
  /** It shows in one run of many: it is planted by hand alone, by `./franz simulate --mutant NAME --count N`. */
  readonly isRare?: boolean
  /** The seed that is looked at first, of 1 to 12: it showed there once, and so the tests take less time. */
  readonly likelySeed?: number
  /** Changes a part that is not handed in from outside; answers what undoes it. */
  readonly plant?: () => () => void
  readonly disk?: () => MemoryDisk
  /** `role`: whose store it is. */
  readonly store?: (store: LogStore["Type"], role: "leader" | "broker") => LogStore["Type"]
  readonly journal?: (journal: Journal["Type"]) => Journal["Type"]
  readonly leaderRoutes?: (routes: ReadonlyArray<Route>, leader: Leader["Type"]) => ReadonlyArray<Route>
  readonly brokerRoutes?: (routes: ReadonlyArray<Route>) => ReadonlyArray<Route>
  /** Producers send a message again, as a new one, when its outcome is unknown. */
  readonly blindRetry?: boolean
}
export const noMutant: Mutant = { name: "none", mistake: "nothing" }
