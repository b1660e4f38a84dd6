import { expect, test } from "bun:test"
import { Clock } from "effect"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import { Sessions } from "../../../../src/leader/brokers/broker-sessions.ts"
import { up } from "../../../domain/cluster/support.ts"

const at = { ms: 0 }
const clock: Clock.Clock = { ...Clock.make(), unsafeCurrentTimeNanos: () => BigInt(at.ms) * 1_000_000n }
/** Lets time pass until `ms`, looking as often as the leader does. */
const look = (sessions: Sessions, ms: number): void => {
  while (at.ms + sessions.lookEveryMs < ms) {
    at.ms += sessions.lookEveryMs
    sessions.expired(up(2))
  }
  at.ms = ms
}
const silent = (sessions: Sessions, cluster = up(2)) => sessions.expired(cluster).map(({ id }) => id as number)

test("a broker is silent when its whole session passed without a word under its epoch", () => {
  at.ms = 1000
  const sessions = new Sessions(clock, 9000)
  const cluster = up(2)
  const epoch = brokerOf(cluster, 1)?.epoch as number
  expect(silent(sessions)).toEqual([])
  look(sessions, 9999)
  expect(silent(sessions)).toEqual([])
  sessions.record(1 as BrokerId, epoch)
  at.ms = 10_000
  expect(silent(sessions)).toEqual([2])
  look(sessions, 18_998)
  expect(silent(sessions)).toEqual([2])
  at.ms = 18_999
  expect(silent(sessions)).toEqual([1, 2])
})
test("a new leader, and a new registration, start a fresh session", () => {
  at.ms = 0
  const sessions = new Sessions(clock, 100)
  expect(silent(sessions)).toEqual([])
  look(sessions, 1000)
  expect(silent(sessions)).toEqual([1, 2])
  expect(silent(new Sessions(clock, 100))).toEqual([])
  sessions.record(1 as BrokerId, 999)
  expect(silent(sessions)).toEqual([2])
})
test("while the leader itself was stopped, no broker was silent", () => {
  at.ms = 0
  const sessions = new Sessions(clock, 9000)
  expect(silent(sessions)).toEqual([])
  look(sessions, 4000)
  at.ms = 60_000
  expect(silent(sessions)).toEqual([])
  look(sessions, 64_000)
  expect(silent(sessions)).toEqual([])
  look(sessions, 67_000)
  expect(silent(sessions)).toEqual([1, 2])
})
test("the leader looks again when a session can end: half a second later at the soonest, two seconds at the latest", () => {
  at.ms = 0
  const sessions = new Sessions(clock, 9000)
  const cluster = up(2)
  const pauseAt = (ms: number): number => {
    look(sessions, ms)
    sessions.expired(cluster)
    return sessions.nextLookMs
  }
  expect(pauseAt(0)).toBe(2000)
  expect(pauseAt(7800)).toBe(1200)
  expect(pauseAt(8800)).toBe(500)
  for (const id of [1, 2]) sessions.record(id as BrokerId, brokerOf(cluster, id)?.epoch as number)
  expect(pauseAt(8900)).toBe(2000)
})
