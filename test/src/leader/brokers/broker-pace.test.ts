import { expect, test } from "bun:test"
import { brokerChanges, idleBrokerChanges } from "../../../../domain/cluster/bounds.ts"
import { BrokerPace } from "../../../../src/leader/brokers/broker-pace.ts"
import { addTopic, given, heartbeat, register } from "../../../domain/cluster/support.ts"

const founded = given(register(1), heartbeat(1), register(2), heartbeat(2))
const busy = given(register(1), heartbeat(1), addTopic("orders"), register(2), heartbeat(2))
const granted = (pace: BrokerPace, times: number, take: (pace: BrokerPace, n: number) => number | undefined): number =>
  Array.from({ length: times }, (_, n) => take(pace, n)).filter((waitMs) => waitMs === undefined).length

test("a broker with partitions has its own allowance, whatever others do", () => {
  let now = 0
  const pace = new BrokerPace(() => now)
  expect(granted(pace, 5_000, (of, n) => of.take(founded, 10_000 + n, "registers"))).toBe(idleBrokerChanges.burst)
  expect(granted(pace, 100, (of) => of.take(busy, 1, "enters"))).toBe(brokerChanges.burst)
  now += brokerChanges.everyMs
  expect([pace.take(busy, 1, "registers"), pace.take(busy, 1, "enters")]).toEqual([undefined, brokerChanges.everyMs])
})
test("brokers without partitions that flap do not keep a new one out", () => {
  const pace = new BrokerPace(() => 0)
  expect(granted(pace, 100, (of) => of.take(founded, 1, "enters"))).toBe(brokerChanges.burst)
  for (let id = 10_000; id < 15_000; id++) for (let n = 0; n < 3; n++) pace.take(founded, id, "enters")
  expect(pace.take(founded, 2, "registers")).toBeUndefined()
  expect(pace.take(founded, 2, "enters")).toBeUndefined()
})
