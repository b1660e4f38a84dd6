import { Effect, Option } from "effect"
import type { PartitionDescription, TopicDescription } from "../../client/admin/cluster.ts"
import type { TopicOptions } from "../../client/topic/administration.ts"
import { count, forEachName, indented } from "../client/each.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { bold, dim, print, printJson, table } from "../shell/screen.ts"
import { flag, noArgument, optionalInteger, repeatedArgument, repeatedText } from "../shell/spec.ts"
import { topicConfig } from "./topic-config.ts"

const topics = repeatedArgument("TOPIC", "One or several topics.")

/** `--config NAME=VALUE`, each once. */
const configsOf = (texts: ReadonlyArray<string>): Effect.Effect<Record<string, string>, CliFailure> => {
  const configs: Record<string, string> = {}
  for (const text of texts) {
    const at = text.indexOf("=")
    if (at <= 0) return Effect.fail(new CliFailure({ exit: "usage", message: `--config ${text}: expected NAME=VALUE, e.g. --config segment.bytes=1048576.` }))
    configs[text.slice(0, at)] = text.slice(at + 1)
  }
  return Effect.succeed(configs)
}

const topicCreate = command({
  path: "topic create",
  summary: "create topics",
  example: ["franz topic create orders --partitions 6", "franz topic create audit --config segment.bytes=1048576 --if-not-exists"],
  options: {
    ...leaderOption,
    partitions: optionalInteger({ name: "partitions", help: "Number of partitions (default: num.partitions of the cluster)." }),
    replication: optionalInteger({ name: "replication-factor", help: "Replicas of each partition (default: default.replication.factor of the cluster)." }),
    config: repeatedText({ name: "config", alias: "c", placeholder: "NAME=VALUE", help: "A setting of the topic; may be repeated." }),
    ifNotExists: flag({ name: "if-not-exists", help: "Accept topics that exist already." }),
    ...jsonOption
  },
  argument: topics,
  run: (words, names) =>
    Effect.gen(function* () {
      const partitions = Option.getOrUndefined(words.partitions)
      const replicationFactor = Option.getOrUndefined(words.replication)
      const options: TopicOptions = {
        configs: yield* configsOf(words.config),
        ...(partitions === undefined ? {} : { partitions }),
        ...(replicationFactor === undefined ? {} : { replicationFactor })
      }
      yield* withAdmin(words, (admin) =>
        forEachName(names, (name) =>
          admin.addTopic(name, options).pipe(
            Effect.map((added) => {
              if (words.json) printJson({ ...added, created: true })
              else print(`${name}: created${added.partitions < 0 ? "" : `, ${count(added.partitions, "partition")}`}`)
            }),
            Effect.catchTag("TopicExists", (exists) => {
              if (!words.ifNotExists) return Effect.fail(exists)
              return Effect.sync(() => (words.json ? printJson({ topic: name, created: false }) : print(`${name}: exists already`)))
            })
          )
        )
      )
    })
})

const topicList = command({
  path: "topic list",
  summary: "list topics",
  example: ["franz topic list", "franz topic list --internal --json"],
  options: { ...leaderOption, internal: flag({ name: "internal", help: "Also internal topics." }), ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.map(admin.listTopics({ internal: words.internal }), (found) => {
        if (words.json)
          for (const { internal, name, partitions, topicId } of found) printJson({ topic: name, topicId, partitions: partitions.length, internal })
        else if (found.length === 0) print("No topics. `franz topic create NAME` creates one.")
        else
          for (const line of table(
            ["TOPIC", "PARTITIONS"],
            found.map(({ name, partitions }) => [name, partitions.length])
          ))
            print(line)
      })
    )
})

const partitionRow = (
  { eligible, end, first, isr, leader, leaderEpoch, partition, replicas }: PartitionDescription,
  showsEligible: boolean
): ReadonlyArray<string | number> => [
  partition,
  leader < 0 ? "none" : leader,
  leaderEpoch,
  replicas.join(","),
  isr.join(","),
  ...(showsEligible ? [eligible?.join(",") ?? ""] : []),
  first ?? "?",
  end ?? "?",
  first === undefined || end === undefined ? "?" : end - first
]

const show = ({ configs, internal, name, partitions, topicId }: TopicDescription): void => {
  print(`${bold(name)}  ${count(partitions.length, "partition")}  id ${topicId}${internal ? "  internal" : ""}`)
  // Only while fewer replicas than min.insync.replicas are in sync.
  const showsEligible = partitions.some(({ eligible = [] }) => eligible.length > 0)
  const head = ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC", ...(showsEligible ? ["ELIGIBLE"] : []), "FIRST", "END", "MESSAGES"]
  const rows = partitions.map((partition) => partitionRow(partition, showsEligible))
  for (const line of indented(head, rows)) print(line)
  const own = configs.filter(({ isOwn }) => isOwn)
  for (const { name: setting, value } of own) print(`  ${setting}=${value ?? ""}`)
  print(dim(`  ${own.length === 0 ? "no settings of its own" : "the other settings are those of the nodes"}: \`franz topic config ${name}\` shows all`))
}

const topicDescribe = command({
  path: "topic describe",
  summary: "describe topics: partitions, leaders, offsets, settings",
  example: ["franz topic describe orders"],
  options: { ...leaderOption, ...jsonOption },
  argument: topics,
  run: (words, names) =>
    withAdmin(words, (admin) => forEachName(names, (name) => Effect.map(admin.describeTopic(name), (topic) => (words.json ? printJson(topic) : show(topic)))))
})

const topicDelete = command({
  path: "topic delete",
  summary: "delete topics and all their messages, without a confirmation",
  example: ["franz topic delete orders"],
  options: { ...leaderOption, ifExists: flag({ name: "if-exists", help: "Accept topics that do not exist." }), ...jsonOption },
  argument: topics,
  run: (words, names) =>
    withAdmin(words, (admin) =>
      forEachName(names, (name) =>
        admin.removeTopic(name).pipe(
          Effect.map(() => (words.json ? printJson({ topic: name, deleted: true }) : print(`${name}: deleted`))),
          Effect.catchTag("UnknownTopic", (unknown) => {
            if (!words.ifExists) return Effect.fail(unknown)
            return Effect.sync(() => (words.json ? printJson({ topic: name, deleted: false }) : print(`${name}: does not exist`)))
          })
        )
      )
    )
})

export const topicCommands = [topicCreate, topicList, topicDescribe, topicConfig, topicDelete] as const
