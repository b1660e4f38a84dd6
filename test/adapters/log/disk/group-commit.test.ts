import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { GroupCommit, type Synced } from "../../../../adapters/log/disk/group-commit.ts"
import { LogFault } from "../../../../src/ports/log-store.ts"

/** A group commit whose rounds end when the test says so. */
const rounds = () => {
  const running: Array<Synced> = []
  return { commit: new GroupCommit((synced) => void running.push(synced)), running }
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const fault = new LogFault({ path: "/d", reason: "offline", message: "the sync failed" })

test("callers of one turn share a round; a caller during a round waits for the next", async () => {
  const { commit, running } = rounds()
  const told: Array<string> = []
  commit.join(() => told.push("one"))
  commit.join(() => told.push("two"))
  await turn()
  expect(running).toHaveLength(1)
  commit.join(() => told.push("three"))
  await turn()
  expect(running).toHaveLength(1)
  running[0]?.(undefined)
  expect(told).toEqual(["one", "two"])
  await turn()
  running[1]?.(undefined)
  expect(told).toEqual(["one", "two", "three"])
  await turn()
  expect(running).toHaveLength(2)
})

test("a caller that cancels its wait is not resumed, and the others are", async () => {
  const { commit, running } = rounds()
  const told: Array<string> = []
  const cancel = commit.join(() => told.push("one"))
  commit.join(() => told.push("two"))
  const waiting = Effect.runFork(commit.wait)
  await turn()
  await Effect.runPromise(waiting.interruptAsFork(waiting.id()))
  cancel()
  running[0]?.(undefined)
  expect(told).toEqual(["two"])
})

test("a failed round fails for all its callers; idle waits for all requested rounds", async () => {
  const { commit, running } = rounds()
  const outcome = Effect.runPromise(Effect.either(commit.wait))
  let isIdle = false
  await turn()
  commit.start()
  const idle = Effect.runPromise(commit.idle).then(() => (isIdle = true))
  running[0]?.(fault)
  expect(Either.getOrThrow(Either.flip(await outcome))).toBe(fault)
  await turn()
  expect([running.length, isIdle]).toEqual([2, false])
  running[1]?.(undefined)
  await idle
  expect(running).toHaveLength(2)
})
