import { Clock, Effect, Option } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import { makeClient } from "../../client/cluster/client.ts"
import type { ConnectionOptions } from "../../client/options.ts"
import type { CliFailure } from "../shell/failure.ts"
import { printProgress } from "../shell/screen.ts"
import { stopSignal } from "../shell/signal.ts"
import { flag, optionalText } from "../shell/spec.ts"
import { commandConfig } from "./command-config.ts"
import { type ClientFault, mapClientErrors } from "./failure.ts"
import { type SecurityWords, securityOf, securityOptions } from "./security.ts"

/** The address of the cluster and the security of the connection, for every command that connects to one. */
export const leaderOption = {
  leader: optionalText({
    name: "leader",
    alias: "b",
    placeholder: "HOST:PORT",
    help: "Bootstrap address: the leader or any node ($FRANZ_LEADER, else 127.0.0.1:9092)."
  }),
  ...securityOptions
}
export const jsonOption = { json: flag({ name: "json", help: "Print one JSON object per line." }) }

interface LeaderWords extends SecurityWords {
  readonly leader: Option.Option<string>
}

/** How long a command tries to reach a cluster whose nodes refuse connections, ms. */
const refusedMs = 2000
/** How long a node that does not refuse the connection may take for its first response, ms: it may be busy. */
const silentNodeMs = 10_000
/** How long one attempt to connect may take after the first contact, ms. */
const connectPlainMs = 5000
/** The same with TLS or SASL, which take several round trips and a slow hash of the password. */
const connectSecureMs = 10_000
const isPlain = ({ sasl, tls }: ConnectionOptions): boolean => sasl === undefined && !tls

/** Returns the connection options of a command. CliFailure for options that contradict each other, and files that cannot be read. */
export const connection = (words: LeaderWords, command: string): Effect.Effect<ConnectionOptions & { readonly leader: string }, CliFailure> =>
  Effect.gen(function* () {
    const { leader = process.env.FRANZ_LEADER || "127.0.0.1:9092", ...file } = Option.isSome(words.commandConfig)
      ? yield* commandConfig(words.commandConfig.value)
      : {}
    const security = yield* securityOf(words, file)
    return { clientId: `franz-${command}`, ...file, ...security, leader: Option.getOrElse(words.leader, () => leader) }
  })

/** How long a command waits before it says for what, ms. */
const silentMs = 1500

/** Says what the effect waits for, when it takes long. Under `--json` it says nothing. */
export const sayingWait = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.zipRight(Effect.delay(printProgress(`waiting for ${what}`), silentMs), Effect.never))

/** Connects, and requests the nodes of the cluster. Exported for tests. */
export const contact = (options: ConnectionOptions) => {
  const within = (timeoutMs: number) => Effect.scoped(Effect.asVoid(makeClient({ ...options, connectTimeoutMs: timeoutMs, retryTimeoutMs: timeoutMs })))
  const isSilence = ({ _tag }: { readonly _tag: string }) => _tag === "NotReachable" || _tag === "RequestTimedOut"
  if (!isPlain(options)) return within(connectSecureMs)
  return Effect.flatMap(Clock.currentTimeMillis, (beganAt) =>
    Effect.catchAll(within(refusedMs), (fault) =>
      // Attempts that are refused end by themselves before their time is over.
      Effect.flatMap(Clock.currentTimeMillis, (now) => (isSilence(fault) && now - beganAt >= refusedMs ? within(silentNodeMs - refusedMs) : Effect.fail(fault)))
    )
  )
}

/**
 * Fails soon when the cluster is unreachable; says that it waits where a node does not respond. Later calls have the
 * timeouts of the library.
 */
export const firstContact = (options: ConnectionOptions & { readonly leader: string }) =>
  sayingWait(`a response of ${options.leader}.`, mapClientErrors(contact(options)))

/** How long a command retries after the first contact has succeeded, ms. */
const commandMs = 10_000

/** Runs an administrative command. It fails soon when no node responds to the first contact. */
export const withAdmin = <A, R>(words: LeaderWords, use: (admin: AdminService) => Effect.Effect<A, ClientFault | CliFailure, R>) =>
  untilStopped(
    Effect.flatMap(connection(words, "admin"), (options) =>
      Effect.andThen(
        firstContact(options),
        Effect.scoped(
          mapClientErrors(
            Effect.flatMap(
              Admin.make({ ...options, connectTimeoutMs: isPlain(options) ? connectPlainMs : connectSecureMs, retryTimeoutMs: commandMs }),
              (admin) => sayingWait("the response of the cluster.", use(admin))
            )
          )
        )
      )
    )
  )

/** A signal ends the effect. Its scopes close before the process ends. */
export const untilStopped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.zipRight(stopSignal, Effect.interrupt))
