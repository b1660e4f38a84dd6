/** For `bun --preload`: the process sends itself SIGTERM at the moment that FRANZ_TEST_STOP_AT names. Without a listener at that moment it ends at once. */
import { readFileSync } from "node:fs"

const stop = (): void => void process.kill(process.pid, "SIGTERM")

/** Between the line `ready` and whatever the program does next. */
const atReady = (): void => {
  const write = process.stdout.write.bind(process.stdout) as (...args: ReadonlyArray<unknown>) => boolean
  process.stdout.write = (chunk: unknown, ...args: ReadonlyArray<unknown>): boolean => {
    const written = write(chunk, ...args)
    if (chunk === "ready\n") stop()
    return written
  }
}

/** Before the first module of the node loads. */
const atLoading = (): void =>
  Bun.plugin({
    name: "stop",
    setup: (build) =>
      void build.onLoad({ filter: /src\/programs\/commands\.ts$/ }, ({ path }) => {
        stop()
        return { contents: readFileSync(path, "utf8"), loader: "ts" }
      })
  })

if (process.env.FRANZ_TEST_STOP_AT === "ready") atReady()
else atLoading()
