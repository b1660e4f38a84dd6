import { expect, test } from "bun:test"
import { defaultNodeConfig } from "../../../../domain/kernel/config.ts"
import { FetchPatience } from "../../../../src/broker/replication/fetch-patience.ts"

test("a follower waits for what its fetch waits and half a session; longer for a leader that is slow, up to replica.socket.timeout.ms", () => {
  const patience = new FetchPatience(defaultNodeConfig)
  expect(patience.timeoutMs).toBe(5000)
  const waited = [0, 0, 0, 0].map(() => {
    patience.overdue()
    return patience.timeoutMs
  })
  expect(waited).toEqual([10_000, 20_000, 30_000, 30_000])
  // It responds, slowly: the next fetch is given time for that.
  patience.took(7000)
  expect(patience.timeoutMs).toBe(14_000)
  patience.took(500)
  expect(patience.timeoutMs).toBe(5000)
  expect(new FetchPatience({ ...defaultNodeConfig, "replica.socket.timeout.ms": 2000 }).timeoutMs).toBe(2000)
  expect(new FetchPatience({ ...defaultNodeConfig, "replica.socket.timeout.ms": -1, "replica.fetch.wait.max.ms": -1 }).timeoutMs).toBe(1)
})
