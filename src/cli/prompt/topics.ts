import { Effect } from "effect"
import type { AdminService } from "../../client/admin/admin.ts"
import { count } from "../client/each.ts"
import { type ClientFault, clientFailure } from "../client/failure.ts"
import { CliFailure } from "../shell/failure.ts"
import { print } from "../shell/screen.ts"
import type { Verb } from "./session.ts"

/** A completion that takes longer than this is not waited for. */
const completionMs = 1000

/** The names of the cluster's topics, for the completion of a word; none when the cluster does not answer in time. */
export const topicNames = (admin: AdminService): Effect.Effect<ReadonlyArray<string>> =>
  admin.listTopics().pipe(
    Effect.map((topics) => topics.map(({ name }) => name)),
    Effect.timeout(completionMs),
    Effect.orElseSucceed(() => [])
  )

export const listTopicsVerb = (admin: AdminService, none: string): Verb<never> => ({
  names: ["listTopics", "list", "topics"],
  usage: "listTopics",
  help: "Shows what topics there are.",
  run: () =>
    said(
      Effect.map(admin.listTopics(), (topics) => {
        if (topics.length === 0) print(none)
        for (const { name, partitions } of topics) print(`${name}  (${count(partitions.length, "partition")})`)
      }),
      ""
    )
})

/** The client's errors in the words of a session, where other commands help than on the command line. */
export const said = <R>(effect: Effect.Effect<void, ClientFault | CliFailure, R>, unknownTopic: string): Effect.Effect<void, CliFailure, R> =>
  Effect.mapError(effect, (fault: ClientFault | CliFailure) => {
    if (fault._tag === "CliFailure") return fault
    const { exit, hint, message } = clientFailure(fault)
    if (fault._tag === "UnknownTopic") return new CliFailure({ exit, message, hint: unknownTopic })
    return new CliFailure({
      exit,
      message,
      hint: fault._tag === "NotReachable" ? "It is tried again with the next command." : /`franz|--/.test(hint ?? "") ? undefined : hint
    })
  })
