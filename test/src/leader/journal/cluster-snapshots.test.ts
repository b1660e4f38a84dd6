import { expect, test } from "bun:test"
import { Effect } from "effect"
import { ClusterSnapshots } from "../../../../src/leader/journal/cluster-snapshots.ts"
import { Journal } from "../../../../src/ports/journal.ts"

test("a snapshot that Fetch does not name is not read from the journal, however often it is asked for", () => {
  let read = 0
  const journal = {
    loadSnapshot: () =>
      Effect.sync(() => {
        read++
        return { index: 70, value: new Uint8Array(100) }
      })
  } as unknown as Journal["Type"]
  let newest = 50
  const writer = { epoch: 1, snapshot: () => ({ endOffset: newest, epoch: 1 }), noteSnapshot: (index: number) => void (newest = Math.max(newest, index)) }
  return Effect.gen(function* () {
    const snapshots = yield* ClusterSnapshots.make(writer)
    for (const wrong of [-1, 0, 49, 51, 70, Number.MAX_SAFE_INTEGER]) expect(yield* snapshots.of(wrong)).toBeUndefined()
    expect(read).toBe(0)
    // Another leader has written a newer one: the next Fetch names it.
    expect(yield* snapshots.of(50)).toBeUndefined()
    expect([newest, read]).toEqual([70, 1])
    expect((yield* snapshots.of(70))?.endOffset).toBe(70)
    for (const again of [70, 50, 70]) yield* snapshots.of(again)
    expect(read).toBe(2)
  }).pipe(Effect.provideService(Journal, journal), Effect.scoped, Effect.runPromise)
})
