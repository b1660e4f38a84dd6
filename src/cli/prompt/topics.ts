import { Effect } from "effect"
import type { AdminService } from "../../client/admin/admin.ts"
import { count } from "../client/each.ts"
import { type ClientFault, clientFailure } from "../client/failure.ts"
import { CliFailure } from "../shell/failure.ts"
import { print } from "../shell/screen.ts"
import type { Verb } from "./session.ts"

/** The timeout of a completion, ms. */
const completionMs = 1000

/** The names of the topics, for the completion of a word; none when the cluster does not respond in time. */
export const topicNames = (admin: AdminService): Effect.Effect<ReadonlyArray<string>> =>
  admin.listTopics().pipe(
    Effect.map((topics) => topics.map(({ name }) => name)),
    Effect.timeout(completionMs),
    Effect.orElseSucceed(() => [])
  )

export const listTopicsVerb = (admin: AdminService, none: string): Verb<never> => ({
  names: ["listTopics", "list", "topics"],
  usage: "listTopics",
  help: "Lists the topics.",
  run: () =>
    mapSessionErrors(
      Effect.map(admin.listTopics(), (topics) => {
        if (topics.length === 0) print(none)
        for (const { name, partitions } of topics) print(`${name}  (${count(partitions.length, "partition")})`)
      }),
      ""
    )
})

/**
 * Maps errors of the client library, with the hints of a session, whose commands differ from those of the command line.
 */
export const mapSessionErrors = <R>(effect: Effect.Effect<void, ClientFault | CliFailure, R>, unknownTopic: string): Effect.Effect<void, CliFailure, R> =>
  Effect.mapError(effect, (fault: ClientFault | CliFailure) => {
    if (fault._tag === "CliFailure") return fault
    const { exit, hint, message } = clientFailure(fault)
    if (fault._tag === "UnknownTopic") return new CliFailure({ exit, message, hint: unknownTopic })
    return new CliFailure({
      exit,
      message,
      hint: fault._tag === "NotReachable" ? "The next command tries again." : /`franz|--/.test(hint ?? "") ? undefined : hint
    })
  })
