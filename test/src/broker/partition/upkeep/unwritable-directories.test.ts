import { expect, test } from "bun:test"
import { UnwritableDirectories } from "../../../../../src/broker/partition/upkeep/unwritable-directories.ts"
import { type LogDirectory, LogFault } from "../../../../../src/ports/log-store.ts"
import { topicId } from "../../../../domain/cluster/support.ts"

test("a replica whose log leaves a full directory takes records again, and the others there do not", () => {
  const replicas = [0, 1].map((partition) => ({ topicId: topicId(1), partition }))
  const full = { path: "/d0", fault: () => undefined, logs: () => replicas } as unknown as LogDirectory
  const unwritable = new Set<number>()
  const disowned = {
    cannotWrite: (all: Iterable<{ readonly partition: number }>) => {
      for (const { partition } of all) unwritable.add(partition)
    },
    canWrite: (all: Iterable<{ readonly partition: number }>) => {
      for (const { partition } of all) unwritable.delete(partition)
    }
  }
  const directories = new UnwritableDirectories({ directories: [full], disowned: disowned as never, report: () => undefined })
  const [one, other] = replicas as [(typeof replicas)[number], (typeof replicas)[number]]
  directories.noted(one, new LogFault({ path: "/d0/log", reason: "full", message: "No space." }))
  expect([...unwritable]).toEqual([0, 1])
  directories.left(one)
  expect([...unwritable]).toEqual([1])
  directories.left(one)
  directories.left(other)
  expect([...unwritable]).toEqual([])
})
