import { expect, test } from "bun:test"
import { Effect } from "effect"
import type { Replica } from "../../../../../src/broker/partition/replica/replica.ts"
import { LogStarts } from "../../../../../src/broker/partition/upkeep/log-starts.ts"
import type { LogStore } from "../../../../../src/ports/log-store.ts"
import { topicId } from "../../../../domain/cluster/support.ts"

/** A replica whose start can be raised. */
const replicaOf = () => {
  const raised: Array<number> = []
  return {
    raised,
    replica: { topicId: topicId(1), partition: 0, sync: Effect.void, raiseStart: (offset: number) => void raised.push(offset) } as unknown as Replica
  }
}

test("a start that is stored while the log changes its directory is raised at the replica that is open then", () => {
  const [closed, open] = [replicaOf(), replicaOf()]
  let current = closed.replica
  const store = {
    writeCheckpoint: () =>
      Effect.sync(() => {
        current = open.replica
      })
  } as unknown as LogStore["Type"]
  const starts = new LogStarts(store, () => current)
  return Effect.runPromise(
    Effect.map(starts.raise([{ replica: closed.replica, offset: 5 }]), () => {
      expect([closed.raised, open.raised]).toEqual([[], [5]])
      expect(starts.of(closed.replica)).toBe(5)
    })
  )
})
