import { expect, test } from "bun:test"
import { bug } from "../../../../../domain/kernel/bug.ts"
import { LogHealth } from "../../../../../src/broker/partition/replica/log-health.ts"
import { LogFault, type PartitionLog } from "../../../../../src/ports/log-store.ts"

const fault = (reason: LogFault["reason"]) => new LogFault({ path: "/data/log", reason, message: `The log is ${reason}.`, cause: undefined })

/** A health over a log whose faults the test decides. */
const healthOf = (isLeading: boolean) => {
  const lines: Array<string> = []
  const offline: Array<LogFault["reason"]> = []
  const log = { refused: undefined as LogFault | undefined, damage: (_: LogFault): void => undefined }
  const port = { onDamage: (heard: (fault: LogFault) => void) => void (log.damage = heard), refusal: () => log.refused }
  const health = new LogHealth(port as unknown as PartitionLog, {
    name: "orders-3",
    report: (line) => void lines.push(line),
    isLeading: () => isLeading,
    isReplicated: () => false,
    wrong: bug,
    wentOffline: ({ reason }) => void offline.push(reason)
  })
  return { health, lines, log, offline }
}

test("a log goes offline once, by damage, by its directory, or by a fault of an append", () => {
  const damaged = healthOf(false)
  damaged.log.damage(fault("corrupt"))
  damaged.log.damage(fault("corrupt"))
  expect(damaged.offline).toEqual(["corrupt"])
  expect(damaged.health.isOffline).toBe(true)

  const moved = healthOf(true)
  moved.health.goOfflineWithDirectory()
  expect(moved.health.isOffline).toBe(false)
  moved.log.refused = fault("offline")
  moved.health.goOfflineWithDirectory()
  moved.health.failed(fault("offline"))
  expect(moved.offline).toEqual(["offline"])
  // The directory has reported why.
  expect(moved.lines).toEqual([])
})

test("a full disk takes no log offline; a leader reports it once, and that the log works again", () => {
  const { health, lines, offline } = healthOf(true)
  health.failed(fault("full"))
  health.failed(fault("full"))
  expect(offline).toEqual([])
  expect(lines).toEqual(["orders-3: The log is full."])
  health.worked()
  health.worked()
  expect(lines).toHaveLength(2)
  const follower = healthOf(false)
  follower.health.failed(fault("full"))
  expect(follower.lines).toEqual([])
})
