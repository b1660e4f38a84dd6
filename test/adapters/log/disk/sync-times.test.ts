import { expect, test } from "bun:test"
import { SyncTimes } from "../../../../adapters/log/disk/sync-times.ts"
import { prometheusText } from "../../../../adapters/metrics/prometheus-text.ts"

test("syncs are counted with their duration and failures; a clock that is set back subtracts nothing", () => {
  const times = new SyncTimes()
  times.add(5, false)
  times.add(20, true)
  times.add(-1000, false)
  const lines = prometheusText([...times.samples("/data/broker-1,/more")])
    .split("\n")
    .filter((line) => line.startsWith("franz"))
  expect(lines).toEqual([
    'franz_log_sync_failures_total{directory="/data/broker-1,/more"} 1',
    'franz_log_sync_seconds_total{directory="/data/broker-1,/more"} 0.025',
    'franz_log_syncs_total{directory="/data/broker-1,/more"} 3'
  ])
})
