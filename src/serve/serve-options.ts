import type { NodeConfig } from "../../domain/kernel/config.ts"
import { AnswerBudget } from "../wire/answer-budget.ts"
import { MemoryBudget } from "../wire/memory-budget.ts"
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

/** What a node that started with `config` bounds its connections by; `live` is what holds now; `memory` is the account of its process. */
export const serveOptions = (config: NodeConfig, live: () => NodeConfig = () => config, memory: MemoryBudget = ownMemory(config)): ServeOptions => ({
  requestBytesMax: config["socket.request.max.bytes"],
  // Those that are open stay open when it falls.
  get connectionsMax() {
    return live()["max.connections"]
  },
  inFlightRequestsMax: config["max.in.flight.requests"],
  writeBufferBytesMax,
  memory,
  answers: new AnswerBudget(Math.min(config["queued.max.response.bytes"], memory.bytesMax * answersShare), memory)
})
