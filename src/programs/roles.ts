import { Effect } from "effect"
import type { Roles } from "../cli/node/roles.ts"

/** Leader and brokers are loaded when a command starts them: a client's command does without, and starts sooner. */
const nodes = Effect.promise(() => import("./nodes.ts"))

export const roles: Roles = {
  up: (options) => Effect.flatMap(nodes, ({ startUp }) => startUp(options)),
  brokerLead: (options) => Effect.flatMap(nodes, ({ startBrokerLead }) => startBrokerLead(options)),
  broker: (options) => Effect.flatMap(nodes, ({ startOneBroker }) => startOneBroker(options))
}
