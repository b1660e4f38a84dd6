import process from "node:process"
import { Effect } from "effect"
import { layer } from "../../../adapters/log/file/layer.ts"
import { LogStore } from "../../../src/ports/log-store.ts"
import { checksum } from "../../src/ports/log-batches.ts"

/** A process of its own for the lock's tests: holds the directory in its first argument until it is killed. Runs under Bun and under Deno. */
await Effect.runPromise(
  Effect.flatMap(LogStore, () => {
    process.stdout.write("held\n")
    return Effect.never
  }).pipe(Effect.provide(layer({ directory: process.argv[2] ?? "" })), Effect.provide(checksum))
)
