import { expect, test } from "bun:test"
import { Command } from "../../../domain/cluster/command.ts"
import { GroupStreamsFixed } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { fromSnapshot, toSnapshot } from "../../../domain/cluster/snapshot.ts"
import { initial } from "../../../domain/cluster/state.ts"
import { eventsOf } from "./support.ts"

test("the number of the groups' streams is fixed once, and no other number is accepted after that", () => {
  const event = new GroupStreamsFixed({ count: 4 })
  expect(eventsOf(initial, Command.FixGroupStreams({ count: 4 }))).toEqual([event])
  const fixed = evolve(initial, event)
  expect(fixed.groupStreams).toBe(4)
  expect(eventsOf(fixed, Command.FixGroupStreams({ count: 50 }))).toEqual([])
  expect(fromSnapshot(toSnapshot(fixed)).groupStreams).toBe(4)
  expect(fromSnapshot(toSnapshot(initial)).groupStreams).toBeUndefined()
})
