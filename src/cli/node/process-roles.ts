import { Effect, type Option } from "effect"
import { entriesOf, type NodeConfig } from "../../../domain/kernel/config.ts"
import { CliFailure } from "../shell/failure.ts"
import type { Endpoint } from "./roles.ts"
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

/** The address of the leader: the option, else the first controller of the settings. */
export const leaderOf = (option: Option.Option<string>, config: NodeConfig): Effect.Effect<Endpoint, CliFailure> => {
  if (option._tag === "Some") return parseAddress("--leader", option.value)
  const name = config["controller.quorum.bootstrap.servers"] === "" ? "controller.quorum.voters" : "controller.quorum.bootstrap.servers"
  const [first] = entriesOf(config[name])
  return first === undefined
    ? Effect.fail(new CliFailure({ exit: "usage", message: `A broker needs the address of its leader: ${leaderOptions}.` }))
    : parseAddress(name, first.replace(/^\d+@/, ""))
}
