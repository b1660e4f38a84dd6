import { Effect } from "effect"
import type { Chance } from "../chance.ts"
import type { Recorder } from "../recorder.ts"
import type { Host } from "./host.ts"

interface HandOverParts {
  readonly chance: Chance
  readonly recorder: Recorder
  readonly leader: Host
  readonly brokers: ReadonlyArray<Host>
  /** When the operator changes the setting, ms from now on. */
  readonly atMs: number
  /** From now on the leader starts with franz.groups.engine=partitions. */
  readonly changeSetting: () => void
}

/** Crashes that follow the change of the setting, at most. */
const crashesMax = 5

/**
 * The operator changes franz.groups.engine over a data directory with groups, and the leader restarts. While it hands
 * the groups over, and while brokers take them over, either crashes: at any moment, and in the middle of any write.
 */
export const handingOver = ({ atMs, brokers, chance, changeSetting, leader, recorder }: HandOverParts): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Effect.sleep(atMs)
    recorder.say("the groups are to be handed over")
    changeSetting()
    leader.kill(chance.pick(["process", "power"]))
    const crashes = chance.between(0, crashesMax)
    for (let nth = 0; nth < crashes; nth++) {
      yield* Effect.sleep(chance.pick([chance.between(0, 50), chance.between(0, 1500), chance.between(0, 5000)]))
      const host = chance.isTrue(0.5) ? leader : chance.pick(brokers)
      if (chance.isTrue(0.5)) host.killAt(chance.between(1, 60))
      else host.kill(chance.pick(["process", "power"]))
    }
  })
