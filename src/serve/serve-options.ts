import type { NodeConfig } from "../../domain/kernel/config.ts"
import { AnswerBudget } from "../wire/answer-budget.ts"
import type { ServeOptions } from "../wire/server.ts"

/** A client that does not read is held back at this many bytes of answers. */
const writeBufferBytesMax = 1_048_576

/** What a node of this configuration bounds its connections by. */
export const serveOptions = (config: NodeConfig): ServeOptions => ({
  requestBytesMax: config["socket.request.max.bytes"],
  connectionsMax: config["max.connections"],
  inFlightRequestsMax: config["max.in.flight.requests"],
  writeBufferBytesMax,
  answers: new AnswerBudget(config["queued.max.response.bytes"])
})
