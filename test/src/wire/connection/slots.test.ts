import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { type Slot, Slots } from "../../../../src/wire/connection/slots.ts"
import { type Route, route } from "../../../../src/wire/route.ts"

const routes = {
  plain: route(Heartbeat, {}, () => ({ throttleTimeMs: 0, errorCode: 0 })),
  pipelined: route(Heartbeat, { pipelined: true }, () => ({ throttleTimeMs: 0, errorCode: 0 })),
  unordered: route(Heartbeat, { unordered: true }, () => ({ throttleTimeMs: 0, errorCode: 0 }))
}
const slotOf = (of: Route | undefined, size: number): Slot => ({
  route: of,
  context: undefined,
  bodyAt: 0,
  size,
  held: size,
  chunk: undefined,
  state: "waiting",
  stop: undefined,
  early: undefined,
  since: 0,
  chunks: undefined,
  ticket: undefined,
  elementsMax: 1,
  ends: false
})

/** The same rules over a plain list, looked through anew each time. */
class Model {
  readonly list: Array<{ readonly slot: Slot; state: "waiting" | "running" | "done" }> = []

  mayStart(): Slot | undefined {
    const running = this.list.filter(({ state }) => state === "running")
    const next = this.list.find(({ state }) => state === "waiting")
    const isPipelined = (slot: Slot | undefined) => slot?.route?.pipelined === true
    if (next === undefined || running.some(({ slot }) => !isPipelined(slot))) return undefined
    return running.length === 0 || isPipelined(next.slot) ? next.slot : undefined
  }
  mayLeave(): ReadonlyArray<Slot> {
    const [first] = this.list
    if (first?.state === "done") return [first.slot]
    return this.list.filter(({ slot, state }) => state === "done" && slot.route?.unordered === true).map(({ slot }) => slot)
  }
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant("add" as const),
    of: fc.constantFrom("plain" as const, "pipelined" as const, "unordered" as const),
    times: fc.integer({ min: 1, max: 400 })
  }),
  fc.record({ kind: fc.constantFrom("start" as const, "leave" as const), times: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ kind: fc.constant("done" as const), which: fc.nat(), times: fc.integer({ min: 1, max: 400 }) })
)

describe("requests under way", () => {
  test("start and leave as the rules say, however many there are", () => {
    let most = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const slots = new Slots()
        const model = new Model()
        for (const each of steps)
          for (let n = 0; n < each.times; n++) {
            if (each.kind === "add") {
              const slot = slotOf(routes[each.of], 10)
              slots.add(slot)
              model.list.push({ slot, state: "waiting" })
            } else if (each.kind === "start") {
              const may = model.mayStart()
              expect(slots.start() === may).toBe(true)
              const found = model.list.find(({ slot }) => slot === may)
              if (found === undefined) break
              found.state = "running"
            } else if (each.kind === "done") {
              const running = model.list.filter(({ state }) => state === "running")
              const one = running[(each.which + n) % Math.max(1, running.length)]
              if (one === undefined) break
              slots.done(one.slot)
              one.state = "done"
            } else {
              const may = model.mayLeave()
              const left = slots.leave()
              expect(left === undefined ? may.length === 0 : may.includes(left)).toBe(true)
              if (left === undefined) break
              model.list.splice(
                model.list.findIndex(({ slot }) => slot === left),
                1
              )
            }
            most = Math.max(most, slots.count)
            expect(slots.count).toBe(model.list.length)
            expect(slots.size >= slots.count * 10 && slots.size > 0 === slots.count > 0).toBe(true)
          }
        const running = model.list.filter(({ state }) => state === "running").map(({ slot }) => slot)
        expect(slots.clear()).toEqual(running)
        expect([slots.count, slots.size]).toEqual([0, 0])
      }),
      { numRuns: 40 }
    )
    expect(most).toBeGreaterThan(300)
  })
})
