import { describe, expect, test } from "bun:test"
import { Clock, Effect, Either, Logger } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { FaultyDisk } from "../../../../adapters/log/disk/faulty-disk.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
// A store loads it with `import()`, which virtual time does not wait for.
import "../../../../adapters/log/move/log-move.ts"
import { defaultStoreBounds, makeStoreOver, type StoreDirectory } from "../../../../adapters/log/store.ts"
import { batch, checksum, topicId } from "../../../src/ports/log-batches.ts"
import { appendAll, orderOf } from "../compaction/support.ts"
import { config, contentOf, faultIn, hold, logName, lost, namesIn, placeOn, put, type Store, slice, unbounded, withStore } from "./support.ts"

const twoDisks = () => {
  const disks = [new MemoryDisk(), new MemoryDisk()] as const
  const places = [placeOn(disks[0], "/a"), placeOn(disks[1], "/b")] as const
  return { disks, places }
}
/** Makes a log of several segments in the first place. */
const madeIn = async (place: StoreDirectory, batches = 20): Promise<ReadonlyArray<string>> =>
  withStore([place], (store) =>
    Effect.gen(function* () {
      const held = yield* hold(store, true)
      yield* put(held.log, batches)
      const content = contentOf(held.log)
      yield* held.close
      return content
    })
  )
const begin = (store: Store, path = "/b") => store.moves.begin({ topicId, partition: 0, path }, unbounded)

describe("a move of a log to another data directory", () => {
  test("a log that is opened from its new directory is not counted as one that is recovered", async () => {
    const { places } = twoDisks()
    await madeIn(places[0])
    let nowNs = 0n
    // Every opening that may say how far it is has been under way for long.
    const clock: Clock.Clock = Object.assign(Object.create(Clock.make()) as Clock.Clock, { unsafeCurrentTimeNanos: () => (nowNs += 6_000_000_000n) })
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    const moved = Effect.gen(function* () {
      const opened = yield* Effect.provide(makeStoreOver(places, defaultStoreBounds), checksum)
      const held = yield* hold(opened)
      expect(said.length).toBeGreaterThan(0)
      const move = yield* begin(opened)
      yield* move.copy
      yield* held.close
      yield* move.finish
      said.length = 0
      yield* (yield* hold(opened)).close
      expect(said).toEqual([])
      // What is closed and opened for another reason is one of those that are recovered.
      yield* (yield* hold(opened)).close
      expect(said.length).toBeGreaterThan(0)
    })
    await Effect.runPromise(moved.pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Effect.withClock(clock)))
  })

  test("copies the log while it is used, and takes the copy in its place: the same bytes, and nothing is left of the move", async () => {
    const { places } = twoDisks()
    const before = await madeIn(places[0])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        expect(store.moves.directoryOf(topicId, 0)).toBe("/a")
        const move = yield* begin(store)
        expect([move.copiedEnd(), move.copiedBytes()]).toEqual([0, 0])
        expect(yield* slice(move, 300)).toBe(true)
        expect(move.copiedBytes()).toBe(300)
        yield* move.copy
        yield* put(held.log, 9)
        expect(move.copiedEnd()).toBeLessThan(held.log.end())
        expect(namesIn(places[1])).toEqual([".moving"])
        const after = contentOf(held.log)
        const extents = held.log.segments().map(({ baseOffset, sizeInBytes }) => [baseOffset, sizeInBytes])
        expect(after.slice(0, before.length)).toEqual([...before])
        yield* held.close
        yield* move.finish
        expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[".moved"], [""]])
        const moved = yield* hold(store)
        yield* move.removeOld
        expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[], [""]])
        expect(store.moves.directoryOf(topicId, 0)).toBe("/b")
        expect(contentOf(moved.log)).toEqual(after)
        expect(moved.log.segments().map(({ baseOffset, sizeInBytes }) => [baseOffset, sizeInBytes])).toEqual(extents)
        expect(moved.log.syncedEnd()).toBe(moved.log.end())
        yield* put(moved.log, 1)
        yield* moved.log.scrub
        // The copy is a log like every other: it moves again.
        const back = yield* begin(store, "/a")
        yield* back.copy
        yield* moved.close
        yield* back.finish
        yield* hold(store)
        yield* back.removeOld
        expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[""], []])
      })
    )
  })

  test("segments that are sealed, deleted and cut meanwhile are copied as they are in the end", async () => {
    const { places } = twoDisks()
    await madeIn(places[0])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        const move = yield* begin(store)
        yield* move.copy
        yield* put(held.log, 3)
        yield* held.log.deleteBefore(12)
        yield* held.log.truncateTo(30)
        // Other records at the same offsets, of the same size.
        for (let n = 0; n < 6; n++) Either.getOrThrow(held.log.append([batch(held.log.end(), 2, 40, 9000 + n)]))
        const content = contentOf(held.log)
        const files = (place: StoreDirectory, name: string) => place.disk.list(`${place.root}/${name}`).filter((each) => !each.endsWith(".deleted"))
        yield* held.close
        const source = files(places[0], logName).toSorted()
        yield* move.finish
        expect(files(places[1], logName).toSorted()).toEqual(source)
        expect(contentOf((yield* hold(store)).log)).toEqual(content)
      })
    )
  })

  test("segments that compaction replaces after they were copied are copied again", async () => {
    const { places } = twoDisks()
    await withStore(places, (store) =>
      Effect.gen(function* () {
        store.moves.prefer({ topicId, partition: 0, path: "/a" })
        const held = yield* hold(store, true)
        yield* appendAll(
          held.log,
          Array.from({ length: 30 }, (_, n) => ({ records: [{ key: `k${n % 3}`, value: `${n}`.padEnd(100, "v") }] }))
        )
        const move = yield* begin(store)
        yield* move.copy
        const bytes = () => held.log.segments().reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
        const before = bytes()
        yield* held.log.compact(orderOf(held.log))
        expect(bytes()).toBeLessThan(before)
        const content = contentOf(held.log)
        yield* held.close
        yield* move.finish
        const { log } = yield* hold(store)
        expect(contentOf(log)).toEqual(content)
        expect(log.cleanEnd()).toBeGreaterThan(0)
        yield* log.scrub
      })
    )
  })

  test("its pace is that of all moves together", async () => {
    const { places } = twoDisks()
    await madeIn(places[0], 60)
    const inVirtualTime = <A, E>(effect: Effect.Effect<A, E>) => new VirtualClock().run(effect)
    await withStore(
      places,
      (store) =>
        Effect.gen(function* () {
          yield* hold(store)
          const move = yield* store.moves.begin({ topicId, partition: 0, path: "/b" }, () => 20_000)
          const begun = yield* Clock.currentTimeMillis
          yield* move.copy
          // Of its last segment the copy takes what fits into a slice only when the log is closed.
          expect((yield* Clock.currentTimeMillis) - begun).toBeGreaterThan((move.copiedBytes() / 20_000) * 1000 * 0.9)
          expect(move.copiedBytes()).toBeGreaterThan(5000)
        }),
      inVirtualTime
    )
  })

  test("a move that is cancelled leaves nothing, and another one begins anew", async () => {
    const { places } = twoDisks()
    const content = await madeIn(places[0])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        const move = yield* begin(store)
        expect((yield* faultIn(begin(store)))?.message).toContain("is being moved already")
        yield* slice(move, 300)
        yield* move.cancel
        expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[""], []])
        expect((yield* faultIn(move.copy))?.message).toContain("was ended")
        const again = yield* begin(store)
        yield* again.copy
        yield* held.close
        yield* again.finish
        expect(contentOf((yield* hold(store)).log)).toEqual([...content])
      })
    )
  })

  test("is refused for a log that is not open or there already, and for a directory that is none or offline", async () => {
    const { places } = twoDisks()
    await madeIn(places[0])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        expect((yield* faultIn(begin(store)))?.message).toContain("is not open")
        yield* hold(store)
        expect((yield* faultIn(begin(store, "/a")))?.message).toContain("is in /a already")
        expect((yield* faultIn(begin(store, "/c")))?.message).toContain("is none of the data directories")
      })
    )
    await withStore([places[0], lost(places[1])], (store) =>
      Effect.gen(function* () {
        yield* hold(store)
        expect((yield* faultIn(begin(store)))?.reason).toBe("offline")
      })
    )
  })

  test("removing the log removes the copy", async () => {
    const { places } = twoDisks()
    await madeIn(places[0])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        const move = yield* begin(store)
        yield* slice(move, 300)
        yield* held.close
        yield* store.remove(topicId, 0)
        expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[], []])
        expect(yield* faultIn(move.copy)).toBeDefined()
      })
    )
  })

  test("a full destination fails the move and not the log", async () => {
    const { disks, places } = twoDisks()
    await madeIn(places[0])
    disks[1].capacityBytes = 700
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        const move = yield* begin(store)
        expect((yield* faultIn(move.copy))?.reason).toBe("full")
        yield* move.cancel
        yield* put(held.log, 1)
        expect(store.directories.map(({ fault }) => fault())).toEqual([undefined, undefined])
        expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[""], []])
        expect(disks[1].usedBytes).toBe(0)
      })
    )
  })

  test("a destination that is full at the end leaves the log where it was", async () => {
    const { disks, places } = twoDisks()
    await madeIn(places[0])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        const move = yield* begin(store)
        yield* move.copy
        yield* put(held.log, 8)
        const content = contentOf(held.log)
        disks[1].capacityBytes = disks[1].usedBytes
        yield* held.close
        expect((yield* faultIn(move.finish))?.reason).toBe("full")
        yield* move.cancel
        expect(contentOf((yield* hold(store)).log)).toEqual(content)
        expect(namesIn(places[1])).toEqual([])
      })
    )
  })

  test("a log that did not close in order is not taken from its copy", async () => {
    const disks = [new MemoryDisk(), new MemoryDisk()] as const
    const places = [placeOn(disks[0], "/a"), placeOn(disks[1], "/b")]
    await madeIn(places[0] as StoreDirectory)
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* hold(store)
        const move = yield* begin(store)
        yield* move.copy
        Either.getOrThrow(held.log.append([batch(held.log.end(), 2)]))
        disks[0].failSyncs(1)
        yield* Effect.ignore(held.log.sync)
        yield* held.close
        expect((yield* faultIn(move.finish))?.message).toContain("was not closed in order")
        expect(namesIn(places[1] as StoreDirectory)).toEqual([".moving"])
      })
    )
  })

  test("a rename that fails leaves the log where it was", async () => {
    for (const [at, path] of [
      [1, "/b/"],
      [0, "/a/"]
    ] as const) {
      const disks = [new FaultyDisk(new MemoryDisk().session()), new FaultyDisk(new MemoryDisk().session())] as const
      const places = disks.map(({ disk }, i) => ({ disk, root: i === 0 ? "/a" : "/b" })) as [StoreDirectory, StoreDirectory]
      for (const { disk, root } of places) disk.makeDirectory(root)
      const content = await madeIn(places[0])
      await withStore(places, (store) =>
        Effect.gen(function* () {
          const held = yield* hold(store)
          const move = yield* begin(store)
          yield* move.copy
          yield* held.close
          disks[at].plant({ doing: "rename", path, code: "EACCES", times: 1 })
          expect((yield* faultIn(move.finish))?.message).toContain("planted")
          expect(contentOf((yield* hold(store)).log)).toEqual([...content])
          yield* move.cancel
          expect([namesIn(places[0]), namesIn(places[1])]).toEqual([[""], []])
        })
      )
    }
  })
})

describe("a new log", () => {
  test("is made in the directory that was preferred for it, also beside one with more room", async () => {
    const { places } = twoDisks()
    await withStore(places, (store) =>
      Effect.gen(function* () {
        for (const partition of [0, 1, 2, 3, 4]) {
          store.moves.prefer({ topicId, partition, path: "/b" })
          yield* store.open(topicId, partition, config, true)
        }
        expect([0, 1, 2, 3, 4].map((n) => store.moves.directoryOf(topicId, n))).toEqual(Array.from({ length: 5 }, () => "/b"))
        yield* store.open(topicId, 5, config, true)
        expect(store.moves.directoryOf(topicId, 5)).toBe("/a")
      })
    )
  })
})

describe("a start after a move that was interrupted", () => {
  const movedTo = (left: { readonly a: ReadonlyArray<string>; readonly b: ReadonlyArray<string> }) => {
    const { places } = twoDisks()
    return madeIn(places[0]).then((content) => {
      const at = (place: StoreDirectory, suffix: string) => `${place.root}/${logName}${suffix}`
      const copy = (suffix: string) => {
        places[1].disk.makeDirectory(at(places[1], suffix))
        for (const name of places[0].disk.list(at(places[0], ""))) {
          const from = places[0].disk.open(`${at(places[0], "")}/${name}`, "read")
          const bytes = new Uint8Array(from.size())
          from.read(bytes, 0)
          places[1].disk.open(`${at(places[1], suffix)}/${name}`, "create").write([bytes], 0)
        }
      }
      for (const suffix of left.b) copy(suffix)
      if (!left.a.includes("")) places[0].disk.rename(at(places[0], ""), at(places[0], left.a[0] ?? ".gone"))
      return { places, content }
    })
  }

  test("finishes it where the log has left its directory, and ends it where it has not: there is one log, whole", async () => {
    for (const [left, then, moves] of [
      [{ a: [""], b: [".moving"] }, [[""], [".moving"]], 1],
      [{ a: [""], b: [".copied"] }, [[""], [".moving"]], 1],
      [{ a: [""], b: [".copied", ".moving"] }, [[""], [".moving"]], 1],
      [{ a: [".moved"], b: [".copied"] }, [[], [""]], 0],
      [{ a: [".moved"], b: [""] }, [[], [""]], 0]
    ] as const) {
      const { content, places } = await movedTo(left)
      await withStore(places, (store) =>
        Effect.gen(function* () {
          expect((yield* store.moves.interrupted).map(({ path }) => path)).toEqual(moves === 1 ? ["/b"] : [])
          expect((yield* store.list).length).toBe(1)
          expect(contentOf((yield* hold(store)).log)).toEqual([...content])
          expect([namesIn(places[0]), namesIn(places[1])] as unknown).toEqual(then)
          if (moves === 0) return
          // Begun anew: what was copied before is not used.
          const move = yield* begin(store)
          expect(move.copiedBytes()).toBe(0)
        })
      )
    }
  })

  test("does not make an empty log where the directory that has the log is not there, and finds it when it is back", async () => {
    for (const left of [
      { a: [".moved"], b: [".copied"] },
      { a: [".moved"], b: [""] }
    ]) {
      const { content, places } = await movedTo(left)
      for (const isNew of [false, true]) {
        const offline = await withStore([places[0], lost(places[1])], (store) => Effect.flip(hold(store, isNew)))
        expect(offline).toMatchObject({ reason: "offline", message: expect.stringContaining("/b is offline: it may be there") })
        const alone = await withStore([places[0]], (store) => Effect.flip(hold(store, isNew)))
        expect(alone).toMatchObject({ reason: "corrupt", message: expect.stringContaining("Put the other directory back into log.dirs") })
        if (left.b[0] === "") continue
        const other = await withStore([places[1]], (store) => Effect.flip(hold(store, isNew)))
        expect(other).toMatchObject({ reason: "corrupt" })
      }
      await withStore(places, (store) => Effect.map(hold(store), ({ log }) => expect(contentOf(log)).toEqual([...content])))
    }
  })

  test("removes a copy whose log is in no directory, and keeps it while one is offline", async () => {
    const { places } = await movedTo({ a: [".gone"], b: [".moving"] })
    await withStore([lost(places[0]), places[1]], () => Effect.void)
    expect(namesIn(places[1])).toEqual([".moving"])
    await withStore(places, () => Effect.void)
    expect(namesIn(places[1])).toEqual([])
  })
})
