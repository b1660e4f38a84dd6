import { heapStats } from "bun:jsc"
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { freshMemory, Outbox, sharedMemory } from "../../../adapters/transport/outbox.ts"
import { Bug } from "../../../domain/kernel/bug.ts"

/** A socket that accepts the scripted number of bytes of each write, and all bytes after the script. */
const socket = (script: ReadonlyArray<number>) => {
  const taken: Array<number> = []
  let calls = 0
  return {
    taken,
    get calls() {
      return calls
    },
    sink: (bytes: Uint8Array): number => {
      const size = Math.min(bytes.length, script[calls++] ?? bytes.length)
      for (let i = 0; i < size; i++) taken.push(bytes[i] as number)
      return size
    }
  }
}

test("a socket that accepts more bytes than it was given is a bug", () => {
  const outbox = new Outbox({ send: (bytes) => bytes.length + 1, drained: () => {} }, freshMemory)
  expect(() => outbox.write([new Uint8Array(100_000)])).toThrow(Bug)
})

describe("bytes that wait to be sent", () => {
  test("are sent in order, whatever part of each write the socket accepts", async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(chunks, fc.array(fc.nat(50)), fc.boolean(), async (written, script, fresh) => {
        const to = socket(script)
        let drains = 0
        const outbox = new Outbox({ send: to.sink, drained: () => drains++ }, fresh ? freshMemory : sharedMemory)
        let sawFull = false
        const told: Array<number> = []
        const sent = written.flatMap((chunk) => [...chunk, ...chunk])
        for (const [i, chunk] of written.entries()) {
          // Memory that the socket accepted is reused at once.
          const waiting = outbox.write([chunk, chunk.slice()], () => {
            told.push(i)
            chunk.fill(0xdd)
          })
          if (waiting > 0) {
            sawFull = true
            expect(waiting).toBe(outbox.size)
          }
          if (i % 3 === 0) await Promise.resolve()
        }
        await Promise.resolve()
        const full = outbox.size > 0
        for (let turn = 0; outbox.size > 0 && turn < 1000; turn++) outbox.flush()
        expect(to.taken).toEqual(sent)
        expect(told).toEqual(written.map((_, i) => i))
        if (full || sawFull) expect(drains).toBeGreaterThan(0)
        else expect(drains).toBe(0)
      })
    )
  })

  test("writes of one turn are one call; large chunks are sent at once", async () => {
    const to = socket([])
    const outbox = new Outbox({ send: to.sink, drained: () => {} }, sharedMemory)
    for (let i = 0; i < 100; i++) outbox.write([new Uint8Array(10).fill(i)])
    expect(to.calls).toBe(0)
    await Promise.resolve()
    expect(to.calls).toBe(1)
    // 20 KB, 50 KB and 10 bytes: over the gathering bound, so they do not wait for the end of the turn.
    outbox.write([new Uint8Array(20_000), new Uint8Array(50_000), new Uint8Array(10)])
    expect(to.calls).toBe(4)
    expect(to.taken.length).toBe(1000 + 70_010)
  })

  test("a bug in one socket does not hold back the bytes of the others", async () => {
    const [before, after] = [socket([]), socket([])]
    const broken = { send: (bytes: Uint8Array) => bytes.length + 1, drained: () => {} }
    const { queueMicrotask } = globalThis
    const queued: Array<() => void> = []
    globalThis.queueMicrotask = (run) => void queued.push(run)
    try {
      for (const to of [{ send: before.sink, drained: () => {} }, broken, { send: after.sink, drained: () => {} }])
        new Outbox(to, freshMemory).write([new Uint8Array(1)])
      expect(queued).toHaveLength(1)
      expect(queued[0]).toThrow(Bug)
      expect([before.calls, after.calls]).toEqual([1, 0])
      queued[1]?.()
      expect([before.calls, after.calls]).toEqual([1, 1])
    } finally {
      globalThis.queueMicrotask = queueMicrotask
    }
  })

  test("a closed socket accepts nothing, and no bytes are kept for it", async () => {
    const outbox = new Outbox({ send: () => -1, drained: () => {} }, sharedMemory)
    outbox.write([new Uint8Array(10)])
    await Promise.resolve()
    expect(outbox.size).toBe(0)
    expect(outbox.write([new Uint8Array(100_000)])).toBe(0)
    expect(outbox.size).toBe(0)
  })
})

test("an idle outbox keeps no function, and one array at most", async () => {
  const socket = { send: (bytes: Uint8Array) => bytes.length, drained: () => {} }
  const count = () => {
    const { Array: arrays = 0, Function: functions = 0 } = heapStats().objectTypeCounts
    return { arrays, functions }
  }
  const before = count()
  const outboxes = Array.from({ length: 1000 }, () => new Outbox(socket, sharedMemory))
  for (const outbox of outboxes) outbox.write([new Uint8Array(10)])
  await Promise.resolve()
  Bun.gc(true)
  const after = count()
  expect(after.functions - before.functions).toBeLessThan(200)
  expect(after.arrays - before.arrays).toBeLessThan(1200)
  expect(outboxes.map(({ size }) => size)).toEqual(outboxes.map(() => 0))
})
