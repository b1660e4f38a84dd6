import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { Data, Deferred, Effect, ExecutionStrategy, Exit, Fiber, Scope } from "effect"
import { gateway } from "../../../adapters/journal/etcd/gateway.ts"
import { CliFailure } from "../../cli/shell/failure.ts"

/** An etcd of one member that this process started. */
interface OwnEtcd {
  /** HOST:PORT for its clients. */
  readonly address: string
  /** Fails where it ends again and again. */
  readonly failed: Effect.Effect<never, CliFailure>
}

/** Why a member that this process started ended. */
class EtcdEnded extends Data.TaggedError("EtcdEnded")<{ readonly code: number; readonly lastLine: string }> {}

interface Ports {
  readonly client: number
  readonly peer: number
}

/** How long a member may take until it answers. It reads its data first. */
const startMs = 60_000
/** How long a member may take to stop. */
const stopMs = 10_000
/** Ends of the member in `endedWithinNs` after which it is started again; the process ends with the next. */
const endedMax = 3
const endedWithinNs = 600_000_000_000n
/** The shell's exit code where it does not find a program. */
const notFound = 127

/** etcd ends with this process, however this ends: then the input of the shell ends. It has a session of its own, so that Ctrl-C reaches the nodes first. */
const script =
  'exec 3<&0; "$@" </dev/null 3<&- & etcd=$!; (read -r _ <&3; kill "$etcd" 2>/dev/null) & watch=$!; wait "$etcd"; code=$?; kill "$watch" 2>/dev/null; exit "$code"'

const logOf = (directory: string): string => join(directory, "log")

/** Returns the last line of the member's log. A line of JSON is returned as its message and its error. */
const lastLineOf = (directory: string): string => {
  const last = readFileSync(logOf(directory), "utf8").trimEnd().split("\n").at(-1) ?? ""
  try {
    const { error, msg } = JSON.parse(last) as { readonly error?: unknown; readonly msg?: unknown }
    return [msg, error].filter((each) => typeof each === "string").join(": ")
  } catch {
    return last
  }
}

/** A port of the loopback address that was free a moment ago. */
const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
const freePorts: Effect.Effect<Ports> = Effect.all({ client: freePort, peer: freePort }, { concurrency: 2 })

const argumentsOf = (directory: string, { client, peer }: Ports): ReadonlyArray<string> => {
  const [forClients, forPeers] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  return [
    ...["--name", "franz", "--data-dir", join(directory, "data"), "--logger", "zap", "--log-level", "warn"],
    ...["--listen-client-urls", forClients, "--advertise-client-urls", forClients],
    ...["--listen-peer-urls", forPeers, "--initial-advertise-peer-urls", forPeers, "--initial-cluster", `franz=${forPeers}`],
    ...["--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1h"]
  ]
}

/** Starts the member until the scope closes. `ended` fails when it ends by itself. */
const launched = (directory: string, ports: Ports): Effect.Effect<{ readonly ended: Effect.Effect<never, EtcdEnded> }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const exited = yield* Deferred.make<number>()
    const open = Effect.sync((): ChildProcess => {
      const log = openSync(logOf(directory), "a", 0o600)
      const child = spawn("/bin/sh", ["-c", script, "sh", "etcd", ...argumentsOf(directory, ports)], { stdio: ["pipe", log, log], detached: true })
      closeSync(log)
      child.once("error", () => Deferred.unsafeDone(exited, Exit.succeed(notFound)))
      child.once("exit", (code) => Deferred.unsafeDone(exited, Exit.succeed(code ?? -1)))
      child.stdin?.on("error", () => undefined)
      return child
    })
    const close = (child: ChildProcess) =>
      Effect.zipRight(
        Effect.sync(() => child.stdin?.end()),
        Effect.timeoutTo(Deferred.await(exited), {
          duration: stopMs,
          onSuccess: () => undefined,
          // It and its shell are a process group.
          onTimeout: () => void (child.pid === undefined ? undefined : process.kill(-child.pid, "SIGKILL"))
        })
      )
    yield* Effect.acquireRelease(open, close)
    const ended = Effect.flatMap(Deferred.await(exited), (code) => new EtcdEnded({ code, lastLine: lastLineOf(directory) }))
    return { ended }
  })

const failed = (exit: "unavailable" | "config", message: string) => new CliFailure({ exit, message })

const endedFailure = ({ code, lastLine }: EtcdEnded, directory: string): CliFailure =>
  code === notFound
    ? failed(
        "config",
        "--engine etcd starts the program etcd, and PATH has none. Install it (Debian, Ubuntu: apt-get install etcd-server; others: https://etcd.io/docs/latest/install), or leave --engine out: the journal is in files then."
      )
    : failed("unavailable", `etcd has ended with ${code}: ${lastLine} (${logOf(directory)} has its log)`)

/** Starts the member, and waits until it takes requests. */
const begin = (directory: string, ports: Ports, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
    const member = yield* Scope.extend(launched(directory, ports), own)
    const client = gateway({ endpoints: [`http://127.0.0.1:${ports.client}`], user: undefined, authorities: undefined, identity: undefined })
    const attempt = Effect.filterOrFail(client.status, ({ hasLeader }) => hasLeader)
    const answers = Effect.eventually(Effect.tapError(attempt, () => Effect.sleep("50 millis")))
    const isReady = Effect.timeoutFail(answers, {
      duration: startMs,
      onTimeout: () => failed("unavailable", `etcd does not answer within ${startMs} ms (${logOf(directory)} has its log)`)
    })
    yield* Effect.raceFirst(isReady, member.ended).pipe(Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))))
    return { ...member, close: Scope.close(own, Exit.void) }
  })

/**
 * Starts `etcd` of PATH as one member with its data below `directory`, on free ports of the loopback address, and starts it
 * again when it ends. It stops with the scope. For a trial on one machine: one member has no copy of its data.
 */
export const ownEtcd = (directory: string): Effect.Effect<OwnEtcd, CliFailure, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        rmSync(logOf(directory), { force: true })
      },
      catch: (cause) => new CliFailure({ exit: "disk", message: `${directory} cannot be made: ${cause instanceof Error ? cause.message : String(cause)}` })
    })
    const scope = yield* Effect.scope
    // Another process may take a port before etcd does.
    const first = yield* Effect.retry(
      Effect.flatMap(freePorts, (ports) => Effect.map(begin(directory, ports, scope), (member) => ({ member, ports }))),
      { times: 4, while: (fault) => fault._tag === "EtcdEnded" && fault.lastLine.includes("address already in use") }
    ).pipe(Effect.mapError((fault) => (fault._tag === "EtcdEnded" ? endedFailure(fault, directory) : fault)))
    const address = `127.0.0.1:${first.ports.client}`
    const nowNs = Effect.clockWith((clock) => Effect.sync(() => clock.unsafeCurrentTimeNanos()))
    const keep = (member: typeof first.member, endedAt: ReadonlyArray<bigint>): Effect.Effect<never, CliFailure> =>
      Effect.catchAll(member.ended, (fault) =>
        Effect.gen(function* () {
          const now = yield* nowNs
          const recent = endedAt.filter((at) => now - at < endedWithinNs)
          const failure = endedFailure(fault, directory)
          if (recent.length >= endedMax) return yield* failed("unavailable", `etcd has ended ${endedMax + 1} times in ten minutes. ${failure.message}`)
          yield* Effect.logWarning(`${failure.message}; it is started again`)
          yield* member.close
          const next = yield* Effect.mapError(begin(directory, first.ports, scope), (again) =>
            again._tag === "EtcdEnded" ? endedFailure(again, directory) : again
          )
          yield* Effect.logInfo(`etcd at ${address} has started again`)
          return yield* keep(next, [...recent, now])
        })
      )
    const keeping = yield* Effect.forkScoped(keep(first.member, []))
    return { address, failed: Fiber.join(keeping) }
  })
