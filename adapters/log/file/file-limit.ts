import * as fs from "node:fs"
import { Clock, Effect, type Scope } from "effect"
import { codeOf } from "../disk/disk.ts"
import { isOutOfFiles } from "../disk/file-pool.ts"
import { filesLimit, poolFigures } from "./process-pool.ts"

interface FileLimitOptions {
  /** How often a file is opened to see whether that works, ms. It takes some 10 µs. */
  readonly probeMs?: number
  /** How often a line says that the limit is reached, for as long as it is, ms. */
  readonly repeatMs?: number
}

/** Always there, and opening it costs no disk. */
const probed = "/dev/null"
/** Descriptors that are looked at between two pauses. */
const sliceCount = 512

/** Kept open, so that one can be freed to look with when none is left. */
class Spare {
  private fd: number | undefined

  take(): void {
    this.fd ??= fs.openSync(probed, "r")
  }
  free(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd)
    this.fd = undefined
  }
}

/** What the process has open, and how many of that are sockets; undefined where the system does not tell (anything but Linux). */
const openFiles: Effect.Effect<{ readonly open: number; readonly sockets: number } | undefined> = Effect.gen(function* () {
  const names = yield* Effect.orElseSucceed(
    Effect.try(() => fs.readdirSync("/proc/self/fd")),
    () => undefined
  )
  if (names === undefined) return undefined
  let sockets = 0
  for (const [at, name] of names.entries()) {
    if (at % sliceCount === sliceCount - 1) yield* Effect.yieldNow()
    try {
      if (fs.readlinkSync(`/proc/self/fd/${name}`).startsWith("socket:")) sockets++
    } catch {
      // Closed meanwhile.
    }
  }
  return { open: names.length, sockets }
})

const reached = (code: string, found: Effect.Effect.Success<typeof openFiles>): string => {
  const { logFiles, logFilesMax } = poolFigures()
  const limit = filesLimit()
  const ofLimit = limit === undefined ? "" : ` of ${limit}`
  const figures = `${found === undefined ? `open files${ofLimit}` : `${found.open}${ofLimit} files are open, ${found.sockets} of them connections`}; logs hold ${logFiles}, at most ${logFilesMax}`
  const raise =
    code === "ENFILE" ? "Raise the limit of the machine (sysctl fs.file-max)" : "Raise the limit of the process (ulimit -n, LimitNOFILE= of a systemd unit)"
  return `No more files can be opened (${code}): ${figures}. New connections wait until there is room, open ones are served. ${raise}, or lower max.connections or log.open.files.max.`
}

/**
 * Says in one line that the process or the machine has no descriptors left, with the figures and what to do, and once more when there is room again. An accept that fails for that
 * is told to no program: the connection waits in the kernel. So a file is opened every `probeMs`.
 */
export const watchFileLimit = ({ probeMs = 1000, repeatMs = 60_000 }: FileLimitOptions = {}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const spare = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const held = new Spare()
        try {
          // Before connections come: at the first probe there may be none left to keep.
          held.take()
        } catch {
          // The limit is reached already; the probe says so.
        }
        return held
      }),
      (held) => Effect.sync(() => held.free())
    )
    let saidAt: number | undefined
    /** The limit was told of, and that there is room again was not. */
    let isTold = false
    const probe = Effect.gen(function* () {
      const fault = yield* Effect.flip(Effect.try({ try: () => (spare.take(), fs.closeSync(fs.openSync(probed, "r"))), catch: (error) => error })).pipe(
        Effect.orElseSucceed(() => undefined)
      )
      if (!isOutOfFiles(fault)) {
        if (isTold) yield* Effect.logInfo("Files can be opened again.")
        isTold = false
        return
      }
      const now = yield* Clock.currentTimeMillis
      if (saidAt !== undefined && now - saidAt < repeatMs) return
      saidAt = now
      isTold = true
      spare.free()
      yield* Effect.logWarning(reached(codeOf(fault), yield* openFiles))
    })
    yield* Effect.forkScoped(Effect.forever(Effect.delay(probe, probeMs)))
  })
