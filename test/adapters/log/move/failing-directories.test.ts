import { expect, test } from "bun:test"
import { Effect } from "effect"
import { FaultyDisk } from "../../../../adapters/log/disk/faulty-disk.ts"
import type { LogDirectory } from "../../../../adapters/log/log-directory.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import type { StoreDirectory } from "../../../../adapters/log/store.ts"
import { LogFault } from "../../../../src/ports/log-store.ts"
import { topicId } from "../../../src/ports/log-batches.ts"
import { contentOf, faultIn, hold, logName, namesIn, placeOn, put, type Store, unbounded, withStore } from "./support.ts"

const begin = (store: Store, path: string) => store.moves.begin({ topicId, partition: 0, path }, unbounded)

/** Data directories, each on a disk of its own that fails as it is told. */
const failing = (...roots: ReadonlyArray<string>) => {
  const disks: Array<FaultyDisk> = []
  const places = roots.map((root) =>
    placeOn(new MemoryDisk(), root, (disk) => {
      const faulty = new FaultyDisk(disk)
      disks.push(faulty)
      return faulty.disk
    })
  )
  return { disks, places }
}
const made = (store: Store, path: string) =>
  Effect.gen(function* () {
    store.moves.prefer({ topicId, partition: 0, path })
    const held = yield* hold(store, true)
    yield* put(held.log, 20)
    return held
  })

test("no log is moved into a directory that another log found to fail meanwhile", async () => {
  const { places } = failing("/a", "/b")
  for (const isCopied of [false, true])
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = isCopied ? yield* hold(store) : yield* made(store, "/a")
        const move = yield* begin(store, "/b")
        if (isCopied) yield* move.copy
        const at = store.directories[1] as LogDirectory
        at.takeOffline(new LogFault({ path: "/b", reason: "offline", message: "A sync of another log failed." }))
        if (!isCopied) expect((yield* faultIn(move.copy))?.message).toContain("another log")
        const content = contentOf(held.log)
        yield* held.close
        expect((yield* faultIn(move.finish))?.message).toContain("another log")
        expect(contentOf((yield* hold(store)).log)).toEqual(content)
        yield* move.cancel
      })
    )
})

const faults = [
  [0, { doing: "rename", path: `/a/${logName}`, code: "EIO", after: 0, times: 1 }],
  [0, { doing: "directory", path: "/a", code: "EIO", after: 1, times: 1 }],
  [1, { doing: "rename", path: `/b/${logName}.copied`, code: "EIO", after: 0, times: 1 }],
  [1, { doing: "directory", path: "/b", code: "EIO", after: 2, times: 1 }]
] as const
for (const [at, fault] of faults)
  test(`a ${fault.doing} in ${"ab"[at]} that fails, so that it is unknown under which name the log is: the next start finds it`, async () => {
    const { disks, places } = failing("/a", "/b")
    let content: ReadonlyArray<string> = []
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const held = yield* made(store, "/a")
        const move = yield* begin(store, "/b")
        yield* move.copy
        content = contentOf(held.log)
        yield* held.close
        disks[at]?.plant(fault)
        expect(yield* faultIn(move.finish)).toBeDefined()
        expect((yield* faultIn(hold(store)))?.reason).toBe("offline")
        yield* move.cancel
      })
    )
    await withStore(places, (store) => Effect.map(hold(store), ({ log }) => expect(contentOf(log)).toEqual(content)))
  })

test("of two copies in directories that failed the one is taken that the log left its directory for: no record is lost", async () => {
  const { disks, places } = failing("/a", "/b", "/c")
  let content: ReadonlyArray<string> = []
  await withStore(places, (store) =>
    Effect.gen(function* () {
      const held = yield* made(store, "/a")
      const first = yield* begin(store, "/b")
      yield* first.copy
      yield* held.close
      // The copy has its name, and it is unknown whether that is durable.
      disks[1]?.plant({ doing: "directory", path: "/b", code: "EIO", after: 1, times: 1 })
      expect(yield* faultIn(first.finish)).toBeDefined()
      yield* first.cancel
      const again = yield* hold(store)
      yield* put(again.log, 5)
      content = contentOf(again.log)
      const second = yield* begin(store, "/c")
      yield* second.copy
      yield* again.close
      disks[2]?.plant({ doing: "rename", path: `/c/${logName}.copied`, code: "EIO", after: 0, times: 1 })
      expect(yield* faultIn(second.finish)).toBeDefined()
      yield* second.cancel
    })
  )
  await withStore(places, (store) => Effect.map(hold(store), ({ log }) => expect(contentOf(log)).toEqual(content)))
})

test("an old copy is not taken while the directory that the log was moved to is not there", async () => {
  const { disks, places } = failing("/a", "/b", "/c")
  await withStore(places, (store) =>
    Effect.gen(function* () {
      const held = yield* made(store, "/a")
      const first = yield* begin(store, "/b")
      yield* first.copy
      yield* held.close
      disks[1]?.plant({ doing: "directory", path: "/b", code: "EIO", after: 1, times: 1 })
      expect(yield* faultIn(first.finish)).toBeDefined()
      yield* first.cancel
      const again = yield* hold(store)
      yield* put(again.log, 5)
      const second = yield* begin(store, "/c")
      yield* second.copy
      yield* again.close
      yield* second.finish
      // The process ends before the old directory is removed.
    })
  )
  await withStore(places.slice(0, 2), (store) =>
    Effect.gen(function* () {
      const fault = yield* faultIn(hold(store))
      expect(fault?.message).toContain(`If it is lost, rename /a/${logName}.moved to`)
    })
  )
  await withStore(places, (store) => Effect.map(hold(store), ({ log }) => expect(log.end()).toBe(50)))
})

/** Spoils the last bytes of the log in `/b`. */
const spoil = (place: StoreDirectory) => {
  const name = place.disk
    .list(`/b/${logName}`)
    .filter((each) => each.endsWith(".log"))
    .toSorted()
    .at(-1)
  const file = place.disk.open(`/b/${logName}/${name}`, "write")
  file.write([new Uint8Array(5).fill(7)], file.size() - 5)
}

test("a log that cannot be opened in its new directory is kept as it was, over restarts, until it can be", async () => {
  const { places } = failing("/a", "/b")
  let content: ReadonlyArray<string> = []
  await withStore(places, (store) =>
    Effect.gen(function* () {
      const held = yield* made(store, "/a")
      content = contentOf(held.log)
      const move = yield* begin(store, "/b")
      yield* move.copy
      yield* held.close
      yield* move.finish
      spoil(places[1] as StoreDirectory)
      expect((yield* faultIn(hold(store)))?.reason).toBe("corrupt")
      expect((yield* faultIn(move.removeOld))?.message).toContain(`/a/${logName}.moved is kept`)
    })
  )
  await withStore(places, (store) => Effect.map(faultIn(hold(store)), (fault) => expect(fault?.reason).toBe("corrupt")))
  expect(places.map(namesIn)).toEqual([[".moved"], [""]])
  // The operator puts it in the place of the damaged one.
  places[1]?.disk.rename(`/b/${logName}`, `/b/${logName}.spoiled`)
  places[0]?.disk.rename(`/a/${logName}.moved`, `/a/${logName}`)
  await withStore(places, (store) => Effect.map(hold(store), ({ log }) => expect(contentOf(log)).toEqual(content)))
})

test("a replica that is copied again is not kept from it by what its damaged log was before", async () => {
  const { places } = failing("/a", "/b")
  await withStore(places, (store) =>
    Effect.gen(function* () {
      const held = yield* made(store, "/a")
      const move = yield* begin(store, "/b")
      yield* move.copy
      yield* held.close
      yield* move.finish
      spoil(places[1] as StoreDirectory)
      expect((yield* faultIn(hold(store)))?.reason).toBe("corrupt")
      expect(yield* store.setAside(topicId, 0)).toEqual([`/b/${logName}.damaged`])
      expect((yield* hold(store)).log.end()).toBe(0)
    })
  )
})

test("what a log was is kept where it has records that the log lacks, as when an older version has made the log anew", async () => {
  const { places } = failing("/a", "/b")
  await withStore(places, (store) =>
    Effect.gen(function* () {
      yield* (yield* made(store, "/a")).close
    })
  )
  places[0]?.disk.rename(`/a/${logName}`, `/a/${logName}.moved`)
  places[1]?.disk.makeDirectory(`/b/${logName}`)
  await withStore(places, (store) => Effect.map(hold(store), ({ log }) => expect(log.end()).toBe(0)))
  expect(places.map(namesIn)).toEqual([[".moved"], [""]])
})
