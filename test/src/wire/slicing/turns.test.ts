import { describe, expect, test } from "bun:test"
import { Clock, Effect, Layer, Runtime } from "effect"
import { MemoryNetwork } from "../../../../adapters/transport/memory.ts"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { joined } from "../../../../src/protocol/codec/joined.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import type { Steps } from "../../../../src/wire/sliced.ts"
import { Ticket, Turns } from "../../../../src/wire/slicing/turns.ts"
import { beat, eventually, heartbeat, onStage, reply } from "../harness.ts"

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
const settled = <A>(of: Turns, work: Steps<A>, ticket = new Ticket(false)): Promise<A> =>
  new Promise(
    (resolve, reject) => void of.run(work, ticket, (outcome) => (of.leave(ticket), "value" in outcome ? resolve(outcome.value) : reject(outcome.cause)))
  )

describe("turns", () => {
  test("what has few steps is done at once", () => {
    let done = 0
    turns().run(steps(5, 42), new Ticket(true), (outcome) => "value" in outcome && (done = outcome.value))
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
  test("all tasks continue in turn: a short one ends soon beside a long one", async () => {
    const of = turns()
    const order: Array<string> = []
    const long = settled(of, steps(1000, "long")).then((name) => order.push(name))
    const short = settled(of, steps(12, "short")).then((name) => order.push(name))
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
        new Ticket(true)
      )
    )
    await Promise.all(large)
    expect([most, of.count]).toEqual([1, 0])
  })
  test("what makes more than some steps needs the place, too; what makes fewer does not wait for it", async () => {
    const of = turns()
    const heavy = new Set<number>()
    let most = 0
    const order: Array<string> = []
    const long = Array.from({ length: 20 }, (_, n) =>
      settled(
        of,
        steps(100, n, (step) => {
          if (step === 16) heavy.add(n)
          most = Math.max(most, heavy.size)
          if (step === 99) heavy.delete(n)
        })
      ).then(() => order.push("long"))
    )
    const short = settled(of, steps(10, 0)).then(() => order.push("short"))
    await Promise.all([...long, short])
    expect([most, order[0], of.count]).toEqual([1, "short", 0])
  })
  test("a request keeps the place while it waits for a journal, until it leaves; of the others the oldest is next", async () => {
    let left = 0
    const of = new Turns(Runtime.defaultRuntime, busyClock(), () => left++)
    const order: Array<string> = []
    const first = new Ticket(true)
    of.run(steps(3, 0), first, () => order.push("first read"))
    const others = ["second", "third"].map((name) => settled(of, steps(3, name), new Ticket(true)).then((it) => order.push(it)))
    of.run(steps(3, 0), first, () => order.push("first answered"))
    expect([order, of.count]).toEqual([["first read", "first answered"], 2])
    of.leave(first)
    of.leave(first)
    await Promise.all(others)
    expect([order, of.count, left]).toEqual([["first read", "first answered", "second", "third"], 0, 3])
  })
  test("a request that makes no steps loses the place after a while, and needs it anew to continue", async () => {
    const of = turns()
    const slow = new Ticket(true)
    of.run(steps(3, 0), slow, () => {})
    const second = settled(of, steps(100, "second"), new Ticket(true))
    for (let second = 0; second < 9; second++) of.turn()
    expect(slow.has).toBe(true)
    of.turn()
    expect(slow.has).toBe(false)
    const again = settled(of, steps(3, "again"), slow)
    expect(of.count).toBe(2)
    expect(await Promise.all([second, again])).toEqual(["second", "again"])
  })
  test("a request of another node never waits for the place: it may be what the one that has it waits for", () => {
    const of = turns()
    of.run(steps(3, 0), new Ticket(true), () => {})
    let done = 0
    of.run(steps(3, 42), new Ticket(true, true), (outcome) => "value" in outcome && (done = outcome.value))
    expect(done).toBe(42)
  })
  test("what is called off makes no more steps, and leaves its place", async () => {
    const of = turns()
    const called = Array.from({ length: 4 }, () => {
      let count = 0
      const ticket = new Ticket(true)
      const stop = of.run(
        steps(1_000_000, 0, () => count++),
        ticket,
        () => {}
      )
      return { stop: () => (stop(), of.leave(ticket)), made: () => count }
    })
    const waiting = settled(of, steps(10, "in"), new Ticket(true))
    for (const { stop } of called.toReversed()) stop()
    expect(await waiting).toBe("in")
    expect(called.map(({ made }) => made())).toEqual([8, 0, 0, 0])
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
