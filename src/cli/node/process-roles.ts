import { Effect, Option } from "effect"
import { entriesOf, type NodeConfig } from "../../../domain/kernel/config.ts"
import { CliFailure } from "../shell/failure.ts"
import type { Endpoint, LeaderAddresses, NodeOptions } from "./roles.ts"
import { parseAddress } from "./settings.ts"

/** Which command starts which roles, as Kafka's `process.roles` names them. */
const commands = { "broker,controller": "franz up", controller: "franz brokerlead", broker: "franz broker" } as const
type Roles = keyof typeof commands

const leaderOptions = "--leader HOST:PORT, or controller.quorum.bootstrap.servers"

/** A settings file with process.roles is accepted only by the command that starts these roles. */
export const checkRoles = (wanted: Roles, config: NodeConfig): Effect.Effect<void, CliFailure> => {
  const said = entriesOf(config["process.roles"]).toSorted().join(",")
  if (said === "" || said === wanted || !Object.hasOwn(commands, said)) return Effect.void
  const needs = said === "broker" ? ` (with ${leaderOptions})` : ""
  const message = `process.roles=${config["process.roles"]}: ${commands[wanted]} starts ${wanted}. Use ${commands[said as Roles]}${needs}, or remove process.roles.`
  return Effect.fail(new CliFailure({ exit: "config", message }))
}

/** The addresses of the leader's candidates: the option, else the controllers of the settings. */
export const leadersOf = (option: Option.Option<string>, config: NodeConfig): Effect.Effect<LeaderAddresses, CliFailure> => {
  const read = (from: string, texts: ReadonlyArray<string>) =>
    Effect.map(
      Effect.forEach(texts, (text) => parseAddress(from, text)),
      ([leader, ...otherLeaders]) => ({ leader: leader as Endpoint, otherLeaders })
    )
  if (option._tag === "Some") return read("--leader", entriesOf(option.value).length === 0 ? [option.value] : entriesOf(option.value))
  const name = config["controller.quorum.bootstrap.servers"] === "" ? "controller.quorum.voters" : "controller.quorum.bootstrap.servers"
  const said = entriesOf(config[name])
  return said.length === 0
    ? Effect.fail(new CliFailure({ exit: "usage", message: `A broker needs the address of its leader: ${leaderOptions}.` }))
    : read(
        name,
        said.map((each) => each.replace(/^\d+@/, ""))
      )
}

const namesCandidates = (config: NodeConfig): boolean => config["controller.quorum.bootstrap.servers"] !== "" || config["controller.quorum.voters"] !== ""

/**
 * The candidates beside a node with both roles: none where its journal is its own, in files. Where several share a journal, the settings name all of them,
 * and the node's id. To a process that starts an etcd of its own they may name further candidates.
 */
export const candidatesOf = (
  { config, idByDefault }: Pick<NodeOptions, "config" | "idByDefault">,
  engine: "files" | "etcd"
): Effect.Effect<ReadonlyArray<Endpoint>, CliFailure> => {
  const journal = config["franz.journal"]
  const refused = (why: string) => Effect.fail(new CliFailure({ exit: "config", message: `franz.journal=${journal}: ${why}` }))
  const named = Effect.map(leadersOf(Option.none(), config), ({ leader, otherLeaders = [] }) => [leader, ...otherLeaders])
  if (journal === "") return engine === "etcd" && namesCandidates(config) ? named : Effect.succeed([])
  if (engine === "etcd") return refused("--engine etcd starts an etcd of its own. Leave one of the two out.")
  if (idByDefault === true)
    return refused(
      "node.id must be set. This process is candidate node.id for the leader's role, its brokers have the ids behind that, and each id is unique in the cluster."
    )
  if (!namesCandidates(config))
    return refused(
      "controller.quorum.bootstrap.servers must name HOST:PORT of each candidate, this one included: the brokers of this process find the leader there."
    )
  return named
}
