import { Effect, Option } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import { makeClient } from "../../client/cluster/client.ts"
import type { ConnectionOptions } from "../../client/options.ts"
import type { CliFailure } from "../shell/failure.ts"
import { stopSignal } from "../shell/signal.ts"
import { flag, optionalText } from "../shell/spec.ts"
import { type ClientFault, orSay } from "./failure.ts"

/** Where the cluster is: on every command that talks to one. */
export const leaderOption = {
  leader: optionalText({
    name: "leader",
    alias: "b",
    placeholder: "HOST:PORT",
    help: "Where the cluster is found: its leader or any node ($FRANZ_LEADER, else 127.0.0.1:9092)."
  })
}
export const jsonOption = { json: flag({ name: "json", help: "One JSON object a line, for scripts." }) }

interface LeaderWords {
  readonly leader: Option.Option<string>
}

/** A person waits for the first answer: two seconds tell whether anybody is there. */
const firstContactMs = 2000

/** How a command reaches the cluster, by its words. */
export const connection = ({ leader }: LeaderWords, command: string): ConnectionOptions & { readonly leader: string } => ({
  leader: Option.getOrElse(leader, () => process.env.FRANZ_LEADER || "127.0.0.1:9092"),
  clientId: `franz-${command}`
})

/** Fails soon when nobody is there. What works later on is as patient as the library is. */
export const firstContact = (options: ConnectionOptions) =>
  orSay(Effect.scoped(Effect.asVoid(makeClient({ ...options, connectTimeoutMs: firstContactMs, retryTimeoutMs: firstContactMs }))))

/** How long a command goes on trying when the first contact has succeeded, ms. */
const commandMs = 10_000

/** Asks or orders something once. The command fails soon when no node answers a first contact. */
export const withAdmin = <A, R>(words: LeaderWords, use: (admin: AdminService) => Effect.Effect<A, ClientFault | CliFailure, R>) =>
  untilStopped(
    Effect.suspend(() => {
      const options = connection(words, "admin")
      return Effect.andThen(
        firstContact(options),
        Effect.scoped(orSay(Effect.flatMap(Admin.make({ ...options, connectTimeoutMs: firstContactMs, retryTimeoutMs: commandMs }), use)))
      )
    })
  )

/** Ctrl-C ends the work in good order: what it holds is closed before the process ends. */
export const untilStopped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.zipRight(stopSignal, Effect.interrupt))
