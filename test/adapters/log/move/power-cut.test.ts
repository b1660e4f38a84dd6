import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { MemoryDisk, type Pick } from "../../../../adapters/log/memory/memory-disk.ts"
import type { StoreDirectory } from "../../../../adapters/log/store.ts"
import { batch, hexOf, topicId } from "../../../src/ports/log-batches.ts"
import { contentOf, hold, namesIn, placeOn, put, slice, unbounded, withStore } from "./support.ts"

/** What of the changes that were not synced survives: nothing, all, half. */
const picks: ReadonlyArray<Pick> = [() => 0, (bound) => bound - 1, (bound) => Math.floor(bound / 2)]

interface World {
  readonly disks: ReadonlyArray<MemoryDisk>
  /** The directories, as a process finds them that starts now. */
  readonly places: () => ReadonlyArray<StoreDirectory>
}
const onOneDisk = (): World => {
  const disk = new MemoryDisk()
  return { disks: [disk], places: () => [placeOn(disk, "/a"), placeOn(disk, "/b")] }
}
const onTwoDisks = (): World => {
  const disks = [new MemoryDisk(), new MemoryDisk()] as const
  return { disks, places: () => [placeOn(disks[0], "/a"), placeOn(disks[1], "/b")] }
}

/** What a life of the process knew when it ended. */
interface Known {
  /** All batches whose append was begun. */
  content: ReadonlyArray<string>
  /** Batches that were durable. */
  synced: number
  isOver: boolean
}

const made = (world: World, known: Known) =>
  withStore(world.places(), (store) =>
    Effect.gen(function* () {
      store.moves.prefer({ topicId, partition: 0, path: "/a" })
      const held = yield* hold(store, true)
      yield* put(held.log, 7)
      Object.assign(known, { content: contentOf(held.log), synced: 7 })
      yield* held.close
    })
  )

/** A move of the log with appends before, meanwhile and after, as far as the disks go. */
const moved = (world: World, known: Known, begun: () => void) =>
  withStore(world.places(), (store) =>
    Effect.gen(function* () {
      const append = (held: Effect.Effect.Success<ReturnType<typeof hold>>) =>
        Effect.gen(function* () {
          // Without an answer it is unknown whether the batch is durable.
          known.content = [...known.content, ...hexOf([batch(held.log.end(), 2, 40)])]
          yield* put(held.log, 1)
          known.synced++
        })
      const held = yield* hold(store)
      begun()
      const move = yield* store.moves.begin({ topicId, partition: 0, path: "/b" }, unbounded)
      yield* slice(move, 300)
      yield* append(held)
      yield* move.copy
      yield* append(held)
      yield* held.close
      yield* move.finish
      const again = yield* hold(store)
      yield* append(again)
      yield* move.removeOld
      yield* append(again)
      known.isOver = true
    })
  )

/** There is one log, with all that was durable, and it takes records. */
const check = (world: World, known: Known, isNew: boolean) =>
  withStore(world.places(), (store) =>
    Effect.gen(function* () {
      expect((yield* store.list).length).toBe(1)
      const { close, log } = yield* hold(store, isNew)
      const found = contentOf(log)
      expect(found).toEqual(known.content.slice(0, found.length) as Array<string>)
      expect(found.length).toBeGreaterThanOrEqual(known.synced)
      const left = world.places().flatMap(namesIn)
      expect(left.filter((name) => name !== ".moving")).toEqual([""])
      const interrupted = yield* store.moves.interrupted
      expect(interrupted.length).toBe(left.length - 1)
      yield* put(log, 1)
      const content = contentOf(log)
      for (const each of interrupted) {
        const move = yield* store.moves.begin(each, unbounded)
        yield* move.copy
        yield* close
        yield* move.finish
        expect(contentOf((yield* hold(store)).log)).toEqual(content)
        yield* move.removeOld
      }
    })
  )

/** Cuts the power at one of the disks, after each change from the `first` on; the other disk loses it in the same moment. Returns the cuts that there were. */
const cutEverywhere = async (make: () => World, at: number, pick: Pick): Promise<number> => {
  for (let changes = 1; ; changes++) {
    const world = make()
    const known: Known = { content: [], synced: 0, isOver: false }
    await made(world, known)
    await moved(world, known, () => world.disks[at]?.crashAfter(changes, pick)).catch(() => undefined)
    if (known.isOver) return changes - 1
    // Of the other disk, another part of what was not synced survives.
    for (const [i, disk] of world.disks.entries()) if (i !== at) disk.crash(picks[(changes + i) % picks.length] as Pick)
    // A second cut, while the start settles what the first one left.
    if (changes % 2 === 0) {
      world.disks[at]?.crashAfter(1 + (changes % 3), pick)
      await withStore(world.places(), (store) => hold(store)).catch(() => undefined)
      for (const disk of world.disks) disk.crash(pick)
    }
    await check(world, known, changes % 3 === 0).catch((cause: unknown) => {
      throw new Error(`after ${changes} changes of disk ${at}: ${String(cause)}`, { cause })
    })
  }
}

describe("a power cut after any change of a move leaves one whole log", () => {
  for (const [i, pick] of picks.entries()) {
    test(`both directories on one disk, survivors ${i}`, async () => {
      expect(await cutEverywhere(onOneDisk, 0, pick)).toBeGreaterThan(50)
    }, 300_000)
    test(`each on a disk of its own, survivors ${i}`, async () => {
      expect(await cutEverywhere(onTwoDisks, 0, pick)).toBeGreaterThan(20)
      expect(await cutEverywhere(onTwoDisks, 1, pick)).toBeGreaterThan(30)
    }, 300_000)
  }
})
