import { describe, expect, test } from "bun:test"
import { Clock, Effect, Layer, Runtime } from "effect"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { requestFrame } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import type { Steps } from "../../../src/wire/sliced.ts"
import { Turns } from "../../../src/wire/turns.ts"
import { beat, eventually, heartbeat, onStage, reply } from "./harness.ts"

/** A clock on which a millisecond passes whenever it is read: a slice is four steps, however quick the machine is. */
const busyClock = (): Clock.Clock => {
  const real = Clock.make()
  let reads = 0n
  return { ...real, sleep: real.sleep.bind(real), unsafeCurrentTimeNanos: () => ++reads * 1_000_000n }
}
const turns = (): Turns => new Turns(Runtime.defaultRuntime, busyClock())
function* steps<A>(count: number, value: A, step: (n: number) => void = () => {}): Steps<A> {
  for (let n = 0; n < count; n++) {
    step(n)
    yield
  }
  return value
}
const settled = <A>(of: Turns, work: Steps<A>, isLarge = false): Promise<A> =>
  new Promise((resolve, reject) => void of.run(work, isLarge, (outcome) => ("value" in outcome ? resolve(outcome.value) : reject(outcome.cause))))

describe("turns", () => {
  test("what has few steps is done at once", () => {
    let done = 0
    turns().run(steps(5, 42), true, (outcome) => "value" in outcome && (done = outcome.value))
    expect(done).toBe(42)
  })
  test("what took long at once lets what begins in the same turn of the loop wait for the next", async () => {
    let now = 0n
    const real = Clock.make()
    const of = new Turns(Runtime.defaultRuntime, { ...real, sleep: real.sleep.bind(real), unsafeCurrentTimeNanos: () => now })
    const order: Array<string> = []
    const all = ["a", "b", "c"].map((name) =>
      settled(
        of,
        steps(1, name, () => ((now += 30_000_000n), order.push(name)))
      )
    )
    expect(order).toEqual(["a"])
    const looking = new Promise<void>((resolve) => setTimeout(() => resolve(void order.push("another connection")), 0))
    await Promise.all([...all, looking])
    expect(order.indexOf("another connection")).toBeLessThan(3)
  })
  test("the loop goes round between slices", async () => {
    let made = 0
    const seen: Array<number> = []
    const looking = setInterval(() => seen.push(made), 0)
    expect(
      await settled(
        turns(),
        steps(200, "all", () => made++)
      )
    ).toBe("all")
    clearInterval(looking)
    // Steps that were made between two looks: those at once, or a slice and the one that ends it.
    const between = seen.map((count, index) => count - (seen[index - 1] ?? 0))
    expect(seen.length).toBeGreaterThan(10)
    expect(Math.max(...between)).toBeLessThanOrEqual(16)
  })
  test("all that is under way goes on by turns: what is short ends soon beside what is long", async () => {
    const of = turns()
    const order: Array<string> = []
    const long = settled(of, steps(1000, "long")).then((name) => order.push(name))
    const short = settled(of, steps(20, "short")).then((name) => order.push(name))
    await Promise.all([long, short])
    expect(order).toEqual(["short", "long"])
  })
  test("one large request is in memory at a time", async () => {
    const of = turns()
    const open = new Set<number>()
    let most = 0
    const large = Array.from({ length: 20 }, (_, n) =>
      settled(
        of,
        steps(50, n, (step) => {
          open.add(n)
          most = Math.max(most, open.size)
          if (step === 49) open.delete(n)
        }),
        true
      )
    )
    await Promise.all(large)
    expect([most, of.count]).toEqual([1, 0])
  })
  test("what is called off makes no more steps, and leaves its place", async () => {
    const of = turns()
    const steps4 = Array.from({ length: 4 }, () => {
      let count = 0
      const stop = of.run(
        steps(1_000_000, 0, () => count++),
        true,
        () => {}
      )
      return { stop, made: () => count }
    })
    const waiting = settled(of, steps(10, "in"), true)
    for (const { stop } of steps4) stop()
    expect(await waiting).toBe("in")
    expect(steps4.map(({ made }) => made())).toEqual([8, 0, 0, 0])
  })
  test("what throws fails alone", async () => {
    const of = turns()
    const other = settled(of, steps(100, "other"))
    const failing = settled(
      of,
      steps(50, 0, (n) => {
        if (n === 30) throw new Error("step 30")
      })
    )
    expect(failing).rejects.toThrow("step 30")
    expect(await other).toBe("other")
  })
})

test("thousands of small requests of one connection, sent without waiting, let another connection have its turn", () => {
  const otherId = 5000
  let handled = 0
  let before = 0
  const handle = (id: number) => {
    handled++
    if (id === otherId) before = handled
    return reply(id)
  }
  const frames = Array.from({ length: 2000 }, (_, id) => joined(requestFrame(Heartbeat, 4, { correlationId: id, clientId: "many" }, beat(id))))
  return onStage(
    Layer.merge(new MemoryNetwork().layer("here"), Layer.setClock(busyClock())),
    [heartbeat(handle)],
    ({ raw }) =>
      Effect.gen(function* () {
        const many = yield* raw
        const other = yield* raw
        many.connection.write([joined(frames)])
        other.ask(Heartbeat, 4, beat(otherId))
        yield* eventually("all are answered", () => many.frames.length === 2000 && other.frames.length === 1)
        expect(before).toBeLessThan(1000)
        expect(many.beats).toEqual(frames.map((_, id) => id))
      }),
    { inFlightRequestsMax: 10_000 }
  )
})
