import { connectionOverrides, type NodeConfig } from "../../domain/kernel/config.ts"
import { AnswerBudget } from "../wire/memory/answer-budget.ts"
import { MemoryBudget } from "../wire/memory/memory-budget.ts"
import type { ServeOptions } from "../wire/server.ts"

/** A client that does not read is held back at this many bytes of answers. */
const writeBufferBytesMax = 1_048_576

/** Where the program does not say how much memory there is. */
const memoryBytesDefault = 536_870_912
/** Answers get this share of the account at most, so that requests always have the rest. */
const answersShare = 1 / 2

/** The account of a node alone in its process, by its settings. */
const ownMemory = (config: NodeConfig): MemoryBudget => {
  const queued = config["queued.max.request.bytes"]
  return new MemoryBudget({ bytesMax: config["franz.memory.request.budget.bytes"] || memoryBytesDefault, requestBytesMax: queued < 0 ? undefined : queued })
}

/** Connections that a node keeps for its own machine, beyond its bounds. */
const localConnectionsReserved = 16

/** The bound for an address: its own, else the one of all. */
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
  /** What holds now; default: what the node started with. */
  readonly live?: () => NodeConfig
  /** The account of the memory of its process; default: one of its own. */
  readonly memory?: MemoryBudget | undefined
}

/** What a node that started with `config` bounds its connections and their requests by. */
export const serveOptions = (config: NodeConfig, { live = () => config, memory = ownMemory(config) }: ServedNode = {}): ServeOptions => ({
  requestBytesMax: config["socket.request.max.bytes"],
  // Those that are open stay open when it falls.
  get connectionsMax() {
    return live()["max.connections"]
  },
  connectionsPerHostMax: perHost(live),
  localConnectionsReserved,
  idleTimeoutMs: config["connections.max.idle.ms"] < 0 ? Number.POSITIVE_INFINITY : config["connections.max.idle.ms"],
  inFlightRequestsMax: config["max.in.flight.requests"],
  writeBufferBytesMax,
  memory,
  answers: new AnswerBudget(Math.min(config["queued.max.response.bytes"], memory.bytesMax * answersShare), memory)
})
