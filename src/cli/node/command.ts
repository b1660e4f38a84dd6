import { Effect, Option } from "effect"
import { type CliCommand, command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { choice, flag, noArgument, optionalInteger, optionalText } from "../shell/spec.ts"
import { candidatesOf, checkRoles, leadersOf } from "./process-roles.ts"
import type { Roles } from "./roles.ts"
import { runNodes } from "./run.ts"
import { nodeOptions, nodeSettings } from "./settings.ts"

const json = flag({ name: "json", help: "Print the addresses as one line of JSON." })

const inRange = (option: string, value: number, least: number, most: number): Effect.Effect<number, CliFailure> =>
  value >= least && value <= most
    ? Effect.succeed(value)
    : Effect.fail(new CliFailure({ exit: "usage", message: `${option} ${value}: expected a whole number from ${least} to ${most}.` }))

export const upCommand = (roles: Roles): CliCommand<never> =>
  command({
    path: "up",
    summary: "run a whole cluster in one process: the leader and its brokers",
    about: [
      "The first broker shares the node and the port of the leader; each further broker listens on the next port.",
      "With --engine etcd the leader is a node of its own, and every broker listens on a port behind it. The journal is in an etcd of one",
      "member, which this process starts from PATH, with its data in DIR/etcd: a trial of what docs/operations/cluster.md sets up.",
      "With franz.journal the process is one of several candidates for the leader's role, with brokers on the ids and the ports behind it.",
      "The first rebalance of a group has no delay here, unless group.initial.rebalance.delay.ms is set."
    ],
    example: ["franz up", "franz up --port 0 --brokers 3 --data /var/lib/franz --partitions 6", "franz up --engine etcd --brokers 3"],
    options: {
      ...nodeOptions,
      brokers: optionalInteger({ name: "brokers", help: "Number of brokers (1)." }),
      partitions: optionalInteger({ name: "partitions", help: "Default number of partitions of a topic (1)." }),
      engine: choice({ name: "engine", of: ["files", "etcd"], or: "files", help: "Where the leader keeps its journal (files)." }),
      json
    },
    argument: noArgument,
    run: (words) =>
      Effect.gen(function* () {
        const brokers = yield* inRange(
          "--brokers",
          Option.getOrElse(words.brokers, () => 1),
          1,
          64
        )
        const { dataByDefault, node, set, warnings } = yield* nodeSettings(words, { id: undefined, data: "./data" })
        yield* checkRoles("broker,controller", node.config)
        const candidates = yield* candidatesOf(node, words.engine)
        const partitions = yield* inRange(
          "--partitions",
          Option.getOrElse(words.partitions, () => node.config["num.partitions"]),
          1,
          10_000
        )
        // The settings file of Kafka's quick start does the same: a single consumer should not wait three seconds for
        // others.
        const joinDelayMs = set.has("group.initial.rebalance.delay.ms") ? node.config["group.initial.rebalance.delay.ms"] : 0
        const where = dataByDefault ? [`the data directory is ${node.data.join(", ")}; --data DIR selects another`] : []
        const options = {
          ...node,
          config: { ...node.config, "num.partitions": partitions, "group.initial.rebalance.delay.ms": joinDelayMs },
          brokers,
          engine: words.engine,
          candidates
        }
        yield* runNodes(roles.up(options), { json: words.json, logFormat: words.logFormat, notes: where, warnings })
      })
  })

export const brokerLeadCommand = (roles: Roles, path = "brokerlead"): CliCommand<never> =>
  command({
    path,
    summary: "run the broker leader alone: it coordinates brokers, topics and groups",
    example: [`${path === "" ? "franz-brokerlead" : "franz brokerlead"} --port 9092 --data /var/lib/franz/leader`],
    options: { ...nodeOptions, id: optionalInteger({ name: "id", help: "The id of this node (0)." }), json },
    argument: noArgument,
    run: (words) =>
      Effect.gen(function* () {
        const { dataByDefault, node, warnings } = yield* nodeSettings(words, { id: Option.getOrUndefined(words.id), data: "./data/leader" })
        yield* checkRoles("controller", node.config)
        const where = dataByDefault ? [`the data directory is ${node.data.join(", ")}; --data DIR selects another`] : []
        yield* runNodes(roles.brokerLead(node), { json: words.json, logFormat: words.logFormat, notes: where, warnings })
      })
  })

/** The id of `--id`: a number, or auto. */
const brokerId = (word: string | undefined): Effect.Effect<number | "auto" | undefined, CliFailure> => {
  if (word === undefined || word === "auto") return Effect.succeed(word)
  return /^\d{1,10}$/.test(word)
    ? Effect.succeed(Number(word))
    : Effect.fail(new CliFailure({ exit: "usage", message: `--id ${word}: expected a whole number from 0, or auto.` }))
}

export const brokerCommand = (roles: Roles, path = "broker"): CliCommand<never> =>
  command({
    path,
    summary: "run one broker: it stores partitions, and registers with its leader",
    about: [
      "With --id auto it is a spare: the leader gives it an id, which its data directory keeps, and the partitions of a broker",
      "that does not return within franz.broker.replacement.delay.ms move to it."
    ],
    example: [
      `${path === "" ? "franz-broker" : "franz broker"} --id 1 --port 9093 --leader 127.0.0.1:9092 --data /var/lib/franz/broker-1`,
      `${path === "" ? "franz-broker" : "franz broker"} --id auto --port 9094 --leader 127.0.0.1:9092 --data /var/lib/franz/spare`
    ],
    options: {
      ...nodeOptions,
      id: optionalText({
        name: "id",
        placeholder: "N|auto",
        help: "The id of this broker, unique in the cluster and not the leader's; auto: the leader gives a new broker its id. Not needed where the settings have node.id."
      }),
      leader: optionalText({
        name: "leader",
        placeholder: "HOST:PORT,…",
        help: "The address of the broker leader, or of each candidate for its role. Not needed where the settings have controller.quorum.*."
      }),
      json
    },
    argument: noArgument,
    run: (words) =>
      Effect.gen(function* () {
        const id = yield* brokerId(Option.getOrUndefined(words.id))
        const { dataByDefault, node, warnings } = yield* nodeSettings(words, {
          id: id === "auto" ? undefined : id,
          data: "./data/broker",
          needsId: true,
          isIdFromLeader: id === "auto"
        })
        yield* checkRoles("broker", node.config)
        const leaders = yield* leadersOf(words.leader, node.config)
        const where = dataByDefault ? [`the data directory is ${node.data.join(", ")}; --data DIR selects another`] : []
        yield* runNodes(roles.broker({ ...node, ...leaders }), { json: words.json, logFormat: words.logFormat, notes: where, warnings })
      })
  })
