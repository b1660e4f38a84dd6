import { describe, expect, test } from "bun:test"
import { Deferred, Effect, FiberId } from "effect"
import { MemoryNetwork } from "../../../../adapters/transport/memory.ts"
import { SyncGroup } from "../../../../src/protocol/message/14-sync-group.ts"
import { DeleteGroups } from "../../../../src/protocol/message/42-delete-groups.ts"
import { type RouteOptions, route } from "../../../../src/wire/route.ts"
import { Sliced } from "../../../../src/wire/sliced.ts"
import { eventually, onStage } from "../harness.ts"

const names = Array.from({ length: 10_000 }, (_, nth) => `group ${nth}`)
const assignments = names.map((memberId) => ({ memberId, assignment: new Uint8Array(1) }))

describe("large requests", () => {
  const disk = () => Deferred.unsafeMake<void>(FiberId.none)
  /** A DeleteGroups that waits for a disk, and counts how many wait with their fields at the same time. */
  const waiting = () => {
    const counts = { now: 0, most: 0, handled: 0 }
    const door = disk()
    const served = route(DeleteGroups, {}, ({ groupsNames }) => {
      counts.handled++
      counts.most = Math.max(counts.most, ++counts.now)
      return Effect.as(
        Deferred.await(door),
        new Sliced(function* () {
          yield
          counts.now--
          return { throttleTimeMs: 0, results: groupsNames.map((groupId) => ({ groupId, errorCode: 0 })) }
        })
      )
    })
    return { counts, door, served }
  }

  test("of many requests that wait for a disk one is in memory, and all are answered", async () => {
    const { counts, door, served } = waiting()
    await onStage(new MemoryNetwork().layer("here"), [served], ({ raw }) =>
      Effect.gen(function* () {
        const ends = yield* Effect.forEach(Array.from({ length: 5 }), () => raw)
        for (const end of ends) end.ask(DeleteGroups, 0, { groupsNames: names })
        yield* eventually("the first waits", () => counts.handled === 1)
        yield* Deferred.succeed(door, undefined)

        yield* eventually("all are answered", () => ends.every(({ frames }) => frames.length === 1))
        expect([counts.handled, counts.most]).toEqual([5, 1])
      })
    )
  })
  test("one whose connection ends while it has the place lets the next one begin", async () => {
    const { counts, door, served } = waiting()
    await onStage(new MemoryNetwork().layer("here"), [served], ({ raw }) =>
      Effect.gen(function* () {
        const [first, second] = [yield* raw, yield* raw]
        first.ask(DeleteGroups, 0, { groupsNames: names })
        yield* eventually("the first waits", () => counts.handled === 1)
        second.ask(DeleteGroups, 0, { groupsNames: names })
        first.connection.destroy()
        yield* eventually("the second waits", () => counts.handled === 2)
        yield* Deferred.succeed(door, undefined)
        yield* eventually("it is answered", () => second.frames.length === 1)
      })
    )
  })
  const poll = (options: RouteOptions) => {
    const door = disk()
    return { door, served: route(SyncGroup, options, () => Effect.as(Deferred.await(door), { errorCode: 0, assignment: new Uint8Array(0) })) }
  }
  test("one that waits for other clients does not keep the place", async () => {
    const { door, served } = poll({ borrows: true })
    const other = waiting()
    await onStage(new MemoryNetwork().layer("here"), [served, other.served], ({ raw }) =>
      Effect.gen(function* () {
        const [member, admin] = [yield* raw, yield* raw]
        member.ask(SyncGroup, 3, { groupId: "g", generationId: 1, memberId: "m", assignments: assignments.slice(0, 9000) })
        admin.ask(DeleteGroups, 0, { groupsNames: names })
        yield* eventually("the other one is handled", () => other.counts.handled === 1)
        yield* Deferred.succeed(other.door, undefined)
        yield* eventually("it is answered", () => admin.frames.length === 1)
        expect(member.frames.length).toBe(0)
        yield* Deferred.succeed(door, undefined)
        yield* eventually("the member is answered", () => member.frames.length === 1)
      })
    )
  })
})
