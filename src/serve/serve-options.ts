import { connectionOverrides, type NodeConfig } from "../../domain/kernel/config.ts"
import { MemoryBudget } from "../wire/memory/memory-budget.ts"
import { ResponseBudget } from "../wire/memory/response-budget.ts"
import type { ServeOptions } from "../wire/server.ts"

/** The server stops reading requests of a client that leaves this many bytes of responses unread. */
const writeBufferBytesMax = 1_048_576

/** The default if the program does not set the memory. */
const memoryBytesDefault = 536_870_912
/** The largest share of the budget for responses, so that requests always have the rest. */
const answersShare = 1 / 2

/** Makes the memory budget of a node that is alone in its process, by its settings. */
const ownMemory = (config: NodeConfig): MemoryBudget => {
  const queued = config["queued.max.request.bytes"]
  return new MemoryBudget({ bytesMax: config["franz.memory.request.budget.bytes"] || memoryBytesDefault, requestBytesMax: queued < 0 ? undefined : queued })
}

/** Connections that a node reserves for clients on its own machine, beyond its bounds. */
const localConnectionsReserved = 16

/** The bound for an address: its own, otherwise the common one. */
const perHost = (live: () => NodeConfig): ((host: string) => number) => {
  let text = ""
  let overrides = connectionOverrides(text)
  return (host) => {
    const config = live()
    const now = config["max.connections.per.ip.overrides"]
    if (now !== text) {
      text = now
      overrides = connectionOverrides(now)
    }
    return overrides.get(host.toLowerCase()) ?? config["max.connections.per.ip"]
  }
}

export interface ServedNode {
  /** The current settings; default: those that the node started with. */
  readonly live?: () => NodeConfig
  /** The memory budget of its process; default: one of its own. */
  readonly memory?: MemoryBudget | undefined
}

/** Returns the bounds on connections and requests of a node that started with `config`. */
export const serveOptions = (config: NodeConfig, { live = () => config, memory = ownMemory(config) }: ServedNode = {}): ServeOptions => ({
  requestBytesMax: config["socket.request.max.bytes"],
  // Open connections stay open when the bound falls.
  get connectionsMax() {
    return live()["max.connections"]
  },
  connectionsPerHostMax: perHost(live),
  localConnectionsReserved,
  idleTimeoutMs: config["connections.max.idle.ms"] < 0 ? Number.POSITIVE_INFINITY : config["connections.max.idle.ms"],
  inFlightRequestsMax: config["max.in.flight.requests"],
  writeBufferBytesMax,
  memory,
  answers: new ResponseBudget(Math.min(config["queued.max.response.bytes"], memory.bytesMax * answersShare), memory)
})
