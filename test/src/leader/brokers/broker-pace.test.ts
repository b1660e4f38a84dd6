import { expect, test } from "bun:test"
import { brokerChangesOf, idleBrokerChanges } from "../../../../domain/cluster/bounds.ts"
import { BrokerPace } from "../../../../src/leader/brokers/broker-pace.ts"
import { addTopic, afterCommands, given, heartbeat, register } from "../../../domain/cluster/support.ts"

const founded = given(register(1), heartbeat(1), register(2), heartbeat(2))
const busy = given(register(1), heartbeat(1), addTopic("orders"), register(2), heartbeat(2))
const granted = (pace: BrokerPace, times: number, take: (pace: BrokerPace, n: number) => number | undefined): number =>
  Array.from({ length: times }, (_, n) => take(pace, n)).filter((waitMs) => waitMs === undefined).length

test("a broker with partitions has its own allowance, whatever others do", () => {
  let now = 0
  const pace = new BrokerPace(() => now)
  const { burst, everyMs } = brokerChangesOf(3)
  expect(granted(pace, 5_000, (of, n) => of.take(founded, 10_000 + n, "registers"))).toBe(idleBrokerChanges.burst)
  expect(pace.take(busy, 1, "enters")).toBeUndefined()
  expect(granted(pace, 100, (of) => of.take(busy, 1, "enters"))).toBe(burst)
  now += everyMs
  expect([pace.take(busy, 1, "registers"), pace.take(busy, 1, "enters")]).toEqual([undefined, everyMs])
})
test("a broker that is killed and restarted again and again never waits", () => {
  let now = 0
  const pace = new BrokerPace(() => now)
  let cluster = busy
  for (let restart = 0; restart < 200; restart++) {
    expect([restart, pace.take(cluster, 1, "registers")]).toEqual([restart, undefined])
    cluster = afterCommands(cluster, register(1, `process ${restart}`))
    expect([restart, pace.take(cluster, 1, "enters")]).toEqual([restart, undefined])
    cluster = afterCommands(cluster, heartbeat(1))
    now += 1000
  }
})
test("the more replicas a broker has, the more its restarts write, and the fewer it has", () => {
  expect([0, 1, 500, 501, 10_000].map((replicas) => brokerChangesOf(replicas).everyMs)).toEqual([10_000, 1000, 1000, 1002, 20_000])
  // One broker without replicas leaves most of what they share to the others.
  expect(brokerChangesOf(0).everyMs).toBeGreaterThan(2 * idleBrokerChanges.everyMs)
})
test("brokers without partitions that flap do not keep a new one out", () => {
  const pace = new BrokerPace(() => 0)
  expect(pace.take(founded, 1, "enters")).toBeUndefined()
  expect(granted(pace, 100, (of) => of.take(founded, 1, "enters"))).toBe(brokerChangesOf(0).burst)
  for (let id = 10_000; id < 15_000; id++) for (let n = 0; n < 3; n++) pace.take(founded, id, "enters")
  expect(pace.take(founded, 2, "registers")).toBeUndefined()
  expect(pace.take(founded, 2, "enters")).toBeUndefined()
})
