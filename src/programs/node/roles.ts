import { Effect } from "effect"
import type { Roles } from "../../cli/node/roles.ts"
import { releaseStartMemory } from "./start-memory.ts"

/**
 * The modules of leader and brokers are loaded when a command starts a node: client commands start sooner without them.
 */
const nodes = Effect.promise(() => import("./nodes.ts"))

export const roles: Roles = {
  up: (options) => Effect.flatMap(nodes, ({ startUp }) => Effect.zipLeft(startUp(options), releaseStartMemory)),
  brokerLead: (options) => Effect.flatMap(nodes, ({ startBrokerLead }) => Effect.zipLeft(startBrokerLead(options), releaseStartMemory)),
  broker: (options) => Effect.flatMap(nodes, ({ startOneBroker }) => Effect.zipLeft(startOneBroker(options), releaseStartMemory))
}
