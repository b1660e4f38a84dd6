import { expect, test } from "bun:test"
import fc from "fast-check"
import { CommitWaiters } from "../../../../../src/broker/partition/leading/commit-waiters.ts"
import { LogFault } from "../../../../../src/ports/log-store.ts"

test("each waiter is called once: when the high watermark passes its offset, or at the end; a cancelled one never", () => {
  const step = fc.oneof(fc.record({ add: fc.nat(50) }), fc.record({ reached: fc.nat(60) }), fc.record({ cancel: fc.nat(100) }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const waiters = new CommitWaiters()
      const all: Array<{ readonly offset: number; readonly cancel: () => void; calls: number; isCancelled: boolean }> = []
      let high = 0
      for (const one of steps) {
        if ("add" in one) {
          const waiter = { offset: one.add, calls: 0, isCancelled: false, cancel: () => undefined as void }
          waiter.cancel = waiters.add(one.add, () => void waiter.calls++)
          all.push(waiter)
          waiters.reached(high)
        } else if ("reached" in one) waiters.reached((high = Math.max(high, one.reached)))
        else {
          const waiter = all[one.cancel]
          if (waiter === undefined) continue
          waiter.isCancelled ||= waiter.calls === 0
          waiter.cancel()
        }
        for (const { calls, isCancelled, offset } of all) expect(calls).toBe(!isCancelled && offset < high ? 1 : 0)
      }
      expect(waiters.size).toBe(all.filter(({ calls, isCancelled }) => calls === 0 && !isCancelled).length)
      waiters.end()
      for (const { calls, isCancelled } of all) expect(calls).toBe(isCancelled ? 0 : 1)
    })
  )
})

test("the end of the leadership tells no fault, that of the log does", () => {
  const waiters = new CommitWaiters()
  const told: Array<unknown> = []
  const fault = new LogFault({ path: "t-0", reason: "io", message: "no" })
  waiters.add(3, (why) => told.push(why))
  waiters.end()
  waiters.add(3, (why) => told.push(why))
  waiters.end(fault)
  expect(told).toEqual([undefined, fault])
})
