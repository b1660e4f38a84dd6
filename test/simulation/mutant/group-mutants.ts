import { Effect } from "effect"
import { HeldPartition } from "../../../src/stream/partition/held-partition.ts"
import { PartitionJournal } from "../../../src/stream/partition/partition-journal.ts"
import { exchanged } from "./exchanged.ts"
import type { Mutant } from "./mutant.ts"

/** Without a likely seed a run reaches it rarely: `test/src/broker/groups/planted.test.ts` has it. */
const ofGroups = (name: string, mistake: string, plant: () => () => void, likelySeed?: number): Mutant => ({
  name,
  mistake,
  plant,
  isOfGroups: true,
  ...(likelySeed === undefined ? { isRare: true } : { likelySeed })
})

/** What a class keeps for itself. */
interface Journaling {
  committed: () => Effect.Effect<void>
}

const openBeforeHighWatermark = ofGroups(
  "open-before-high-watermark",
  "a broker that leads a partition of groups opens it before everything in its log is committed",
  () => exchanged(PartitionJournal.prototype as unknown as Journaling, "committed", () => () => Effect.void)
)

const handedOverEmpty = ofGroups(
  "handed-over-empty",
  "a broker that takes over a stream of groups begins without what the leader had",
  () =>
    exchanged(
      HeldPartition.prototype,
      "saveSnapshot",
      (real) =>
        function (this: HeldPartition, snapshot) {
          return real.call(this, this.isEmpty ? { index: 0, value: new Uint8Array(0) } : snapshot)
        }
    ),
  2
)

const appendNotCommitted = ofGroups("append-not-committed", "an append to a stream of groups is answered before it is committed", () =>
  exchanged(
    HeldPartition.prototype,
    "append",
    (real) =>
      function (this: HeldPartition, expected, entries) {
        return Effect.asVoid(Effect.forkDaemon(real.call(this, expected, entries)))
      }
  )
)

/** Mistakes of brokers that coordinate groups. */
export const groupMutants: ReadonlyArray<Mutant> = [openBeforeHighWatermark, handedOverEmpty, appendNotCommitted]
