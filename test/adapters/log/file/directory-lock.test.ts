import { afterAll, describe, expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { Effect, Either, Logger } from "effect"
import { holdDirectory } from "../../../../adapters/log/file/directory-lock.ts"
import type { FlockOutcome } from "../../../../adapters/log/file/flock.ts"
import { layer } from "../../../../adapters/log/file/layer.ts"
import { nodeDisk } from "../../../../adapters/log/file/node-disk.ts"
import { defaultLogConfig, LogStore } from "../../../../src/ports/log-store.ts"
import { checksum, topicId } from "../../../src/ports/log-batches.ts"

const root = join(import.meta.dir, "../../../..")
const parent = fs.mkdtempSync(join(tmpdir(), "franz-lock-"))
afterAll(() => fs.rmSync(parent, { recursive: true, force: true }))
const temporary = () => fs.mkdtempSync(join(parent, "data-"))

const opening = (directory: string) =>
  Effect.runPromise(Effect.either(Effect.scoped(Effect.provide(LogStore, layer({ directory })))).pipe(Effect.provide(checksum)))

/** Starts a process that locks the directory; resolves when it holds the lock. */
const holder = async (command: ReadonlyArray<string>, directory: string, ...more: ReadonlyArray<string>) => {
  const child = Bun.spawn([...command, join(root, "test/adapters/log/file/hold-directory.ts"), directory, ...more], {
    stdout: "pipe",
    stderr: "inherit",
    stdin: "ignore"
  })
  const first = await child.stdout.getReader().read()
  expect(new TextDecoder().decode(first.value)).toStartWith("held")
  return { child, said: new TextDecoder().decode(first.value) }
}

// The package's own starter is a process between: killing it would leave Deno behind.
const platforms = join(root, "node_modules/@deno")
const deno = join(platforms, fs.readdirSync(platforms)[0] ?? "", "deno")
const runtimes = [
  ["Bun", [process.execPath]],
  ["Deno", [deno, "run", "--allow-all", "--quiet"]],
  ["Deno without its ffi", [deno, "run", "--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--no-prompt", "--quiet"]]
] as const

const removeLocks = (directory: string) => {
  for (const name of fs.readdirSync(directory)) if (name.startsWith("lock")) fs.unlinkSync(join(directory, name))
}

/** A hold of this process, with the log's lines that came of it. */
const held = (directory: string, flock?: (path: string) => FlockOutcome) =>
  holdDirectory({ disk: nodeDisk, directory, realPath: fs.realpathSync(directory), processId: process.pid, ...(flock === undefined ? {} : { flock }) })
const none = (): FlockOutcome => "unavailable"

describe("the lock of a data directory", () => {
  /** Another process holds the directory while `change` changes it: the lock is refused, with that process's name, until it is killed. */
  const excludes = async (command: ReadonlyArray<string>, change: (directory: string) => void) => {
    const directory = temporary()
    const { child } = await holder(command, directory)
    change(directory)
    expect(await opening(directory)).toMatchObject({ _tag: "Left", left: { _tag: "DirectoryLocked", holder: `pid ${child.pid}` } })
    child.kill("SIGKILL")
    await child.exited
    expect((await opening(directory))._tag).toBe("Right")
  }

  for (const [name, command] of runtimes)
    test(`held by a process of ${name}, it names that process and is free as soon as that was killed`, () => excludes(command, () => undefined), 60_000)

  for (const [name, command] of runtimes.slice(0, 2))
    test(`a process of ${name} keeps it when the lock files are removed, and is still named`, () => excludes(command, removeLocks), 60_000)

  for (const [name, command] of runtimes.slice(0, 2))
    test(`a child process of ${name} that outlives its parent keeps no lock`, async () => {
      const directory = temporary()
      const { child, said } = await holder(command, directory, "with-child")
      const grandchild = Number(/child (\d+)/.exec(said)?.[1])
      child.kill("SIGKILL")
      await child.exited
      try {
        // exec(2) lets the parent continue before it closes the child's descriptors: the lock may still be held for a short time.
        while ((await opening(directory))._tag === "Left") await Bun.sleep(5)
        process.kill(grandchild, 0)
      } finally {
        process.kill(grandchild, "SIGKILL")
      }
    }, 300_000)

  test("two paths to one directory are one lock, and of many concurrent callers one gets it", async () => {
    const directory = temporary()
    const link = `${directory}-link`
    fs.symlinkSync(directory, link)
    const hold = (path: string) => Effect.either(Effect.provide(Effect.delay(LogStore, 50), layer({ directory: path })))
    const outcomes = await Effect.runPromise(
      Effect.forEach([directory, link, directory, link], hold, { concurrency: "unbounded" }).pipe(Effect.provide(checksum), Effect.scoped)
    )
    expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Left", "Left", "Left", "Right"])
    expect((await opening(link))._tag).toBe("Right")
  })

  test("one process excludes itself where two paths cannot be recognized as the same directory (a bind mount)", async () => {
    const directory = temporary()
    const outcome = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          yield* held(directory)
          return yield* Effect.either(holdDirectory({ disk: nodeDisk, directory, realPath: "/another/name", processId: process.pid }))
        })
      )
    )
    expect(outcome).toMatchObject({ _tag: "Left", left: { _tag: "DirectoryLocked" } })
  })
})

describe("a lock file that disappears while the node runs", () => {
  test("is created again, with one warning each time", async () => {
    const directory = temporary()
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { lost } = yield* held(directory)
          yield* Effect.forkScoped(lost(5))
          for (const times of [1, 2]) {
            removeLocks(directory)
            yield* Effect.iterate(0, {
              while: () => lines.length < times || !fs.existsSync(join(directory, "lock.holder")),
              body: () => Effect.as(Effect.sleep(5), 0)
            })
          }
          yield* Effect.sleep(30)
        })
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    )
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain(`${directory}/lock`)
    expect((await opening(directory))._tag).toBe("Right")
  }, 300_000)

  test("takes the directory offline when another process has locked it since, where only the lock file excludes it", async () => {
    const directory = temporary()
    const fault = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { lost } = yield* held(directory, none)
          removeLocks(directory)
          const { child } = yield* Effect.promise(() => holder([process.execPath], directory))
          yield* Effect.addFinalizer(() =>
            Effect.promise(() => {
              child.kill("SIGKILL")
              return child.exited
            })
          )
          return { fault: yield* lost(5), pid: child.pid }
        })
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)))
    )
    expect(fault.fault).toMatchObject({ reason: "offline", path: directory })
    expect(fault.fault.message).toContain(`pid ${fault.pid}`)
  }, 300_000)

  for (const [what, change] of [
    ["moved away", (directory: string) => fs.renameSync(directory, `${directory}-moved`)],
    [
      "replaced by a copy",
      (directory: string) => {
        fs.renameSync(directory, `${directory}-moved`)
        fs.cpSync(`${directory}-moved`, directory, { recursive: true })
      }
    ]
  ] as const)
    test(`a directory that is ${what} is offline: nothing is written to its replacement`, async () => {
      const directory = temporary()
      const outcome = await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const store = yield* LogStore
            const log = yield* store.open(topicId, 0, defaultLogConfig)
            change(directory)
            const fault = yield* store.directories[0]?.failed ?? Effect.never
            return { fault, refusal: log.refusal() }
          }).pipe(Effect.provide(layer({ directory, lockCheckMs: 5 })), Effect.provide(checksum))
        )
      )
      expect(outcome.fault).toMatchObject({ reason: "offline", path: directory })
      expect(outcome.fault.message).toContain("another directory")
      expect(outcome.refusal).toEqual(outcome.fault)
    }, 300_000)
})

test("a directory that cannot be opened is refused with the platform's error, and leaves no lock", async () => {
  const file = join(parent, "file")
  fs.writeFileSync(file, "")
  const outcome = await Effect.runPromise(Effect.scoped(Effect.either(held(file))))
  expect(Either.isLeft(outcome)).toBe(true)
  fs.unlinkSync(file)
})
