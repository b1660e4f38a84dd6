import { Clock, Effect, Either, Option } from "effect"
import type { AdminService } from "../../client/admin/admin.ts"
import type { OffsetReset, ResetTo } from "../../client/admin/batch/group-offsets.ts"
import type { ItemError, ItemResults } from "../../client/admin/batch/items.ts"
import type { TopicPartition } from "../../client/cluster/topic-partition.ts"
import { UnknownTopic } from "../../client/error.ts"
import { count, forEachName, indented } from "../client/each.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import type { Specs, Values } from "../shell/parse.ts"
import { bold, print, printJson } from "../shell/screen.ts"
import { argument, flag, optionalInteger, optionalText, repeatedText } from "../shell/spec.ts"
import { timeForms, timeOf } from "../shell/time.ts"

const resetOptions = {
  ...leaderOption,
  topic: repeatedText({ name: "topic", placeholder: "TOPIC", help: "A topic to reset; may be repeated (all in which the group has committed)." }),
  toEarliest: flag({ name: "to-earliest", help: "To the first message of each partition." }),
  toLatest: flag({ name: "to-latest", help: "To the end of each partition." }),
  toOffset: optionalInteger({ name: "to-offset", help: "To this offset, or the nearest that a partition has." }),
  toTime: optionalText({ name: "to-time", placeholder: "TIME", help: "To the first message of this time or later: ms since 1970, a date, or 15m ago as 15m." }),
  shiftBy: optionalInteger({ name: "shift-by", help: "N messages on, or back with a negative N." }),
  dryRun: flag({ name: "dry-run", help: "Show the new offsets, and commit none." }),
  ...jsonOption
} satisfies Specs
type ResetWords = Values<typeof resetOptions>

const places = "--to-earliest, --to-latest, --to-offset, --to-time or --shift-by"

/** Where the options move the group, or what is wrong with them. `nowMs` is the present. */
const targetOf = ({ shiftBy, toEarliest, toLatest, toOffset, toTime }: ResetWords, nowMs: number): Either.Either<ResetTo, string> =>
  Either.gen(function* () {
    const targets: Array<ResetTo> = [
      ...(toEarliest ? (["earliest"] as const) : []),
      ...(toLatest ? (["latest"] as const) : []),
      ...Option.toArray(toOffset).map((offset) => ({ offset })),
      ...Option.toArray(shiftBy).map((shift) => ({ shiftBy: shift }))
    ]
    if (Option.isSome(toTime)) {
      const timestamp = timeOf(toTime.value, nowMs)
      if (timestamp === undefined) return yield* Either.left(`--to-time ${toTime.value}: expected ${timeForms}.`)
      targets.push({ timestamp })
    }
    const [to] = targets
    if (to === undefined) return yield* Either.left(`where to reset the offsets is missing: give one of ${places}.`)
    if (targets.length > 1) return yield* Either.left(`offsets are reset to one place: give only one of ${places}.`)
    if (typeof to === "object" && "offset" in to && to.offset < 0) return yield* Either.left(`--to-offset ${to.offset}: expected a whole number from 0.`)
    return to
  })

/** A group with members would overwrite the offsets with its own commits. Kafka's tool refuses it, too. */
const refuseMembers = (admin: AdminService, group: string, isNewAllowed: boolean) =>
  admin.describeGroup(group).pipe(
    Effect.flatMap(({ members }) =>
      members.length === 0
        ? Effect.void
        : new CliFailure({
            exit: "refused",
            message: `The group '${group}' has members, which would continue from their own positions.`,
            hint: `Stop its consumers first. \`franz group describe ${group}\` lists them; --dry-run shows the new offsets meanwhile.`
          })
    ),
    Effect.catchTag("UnknownGroup", (unknown) => (isNewAllowed ? Effect.void : Effect.fail(unknown)))
  )

const show = (group: string, dryRun: boolean, results: ItemResults<TopicPartition, OffsetReset>): void => {
  const done = results.flatMap(({ item, result }) => (Either.isRight(result) ? [{ ...item, ...result.right }] : []))
  print(`${bold(group)}  ${count(done.length, "partition")}${dryRun ? "  dry run: nothing was committed" : ""}`)
  const rows = [...done].sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  if (rows.length > 0)
    for (const line of indented(
      ["TOPIC", "PARTITION", "FROM", "TO"],
      rows.map(({ from = "none", partition, to, topic }) => [topic, partition, from, to])
    ))
      print(line)
}

/** A topic that is named and not there is an error of its first partition. */
const unknownTopic = (topic: string, fault: ItemError): ItemError | UnknownTopic =>
  fault._tag === "KafkaFailure" && fault.error === "UNKNOWN_TOPIC_OR_PARTITION" ? new UnknownTopic({ topic }) : fault

const reset = (admin: AdminService, group: string, to: ResetTo, { dryRun, json, topic }: ResetWords) =>
  Effect.gen(function* () {
    const topics = [...new Set(topic)]
    if (!dryRun) yield* refuseMembers(admin, group, topics.length > 0)
    const results = yield* admin.resetGroupOffsets(group, to, { dryRun, ...(topics.length === 0 ? {} : { topics }) })
    if (results.length === 0 && topics.length === 0) {
      yield* admin.describeGroup(group)
      return yield* new CliFailure({ exit: "refused", message: `The group '${group}' has no committed offsets.`, hint: "--topic names the topics to set." })
    }
    if (json)
      for (const { item, result } of results)
        if (Either.isRight(result)) printJson({ group, ...item, from: result.right.from ?? null, to: result.right.to, dryRun })
    if (!json) show(group, dryRun, results)
    yield* forEachName([...new Set(results.map(({ item }) => item.topic))], (name) =>
      Effect.forEach(results, ({ item, result }) => (item.topic === name ? Effect.mapError(result, (fault) => unknownTopic(name, fault)) : Effect.void), {
        discard: true
      })
    )
  })

export const groupResetOffsets = command({
  path: "group reset-offsets",
  summary: "move the committed offsets of a group without members",
  about: [
    "The offsets stay within those that a partition has. A group that does not exist is created, if --topic names its topics.",
    "Unlike Kafka's tool it commits without --execute: try --dry-run first."
  ],
  example: ["franz group reset-offsets billing --to-time 2h --dry-run", "franz group reset-offsets billing --topic orders --shift-by -100"],
  options: resetOptions,
  argument: argument("GROUP", "The group."),
  run: (words, group) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const to = yield* Either.mapLeft(targetOf(words, nowMs), (message) => new CliFailure({ exit: "usage", message }))
      yield* withAdmin(words, (admin) => reset(admin, group, to, words))
    })
})
