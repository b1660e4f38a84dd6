import { spawn } from "node:child_process"
import process from "node:process"
import { Effect } from "effect"
import { layer } from "../../../../adapters/log/file/layer.ts"
import { LogStore } from "../../../../src/ports/log-store.ts"
import { checksum } from "../../../src/ports/log-batches.ts"

/** A process of its own for the lock's tests: holds the directory in its first argument until it is killed, with a child process of its own if the second says so. Runs under Bun and under Deno. */
await Effect.runPromise(
  Effect.flatMap(LogStore, () => {
    const child = process.argv[3] === "with-child" ? spawn("sleep", ["600"], { stdio: "ignore", detached: true }) : undefined
    process.stdout.write(child === undefined ? "held\n" : `held, child ${child.pid}\n`)
    return Effect.never
  }).pipe(Effect.provide(layer({ directory: process.argv[2] ?? "" })), Effect.provide(checksum))
)
