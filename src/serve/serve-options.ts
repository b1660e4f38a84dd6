import type { NodeConfig } from "../../domain/kernel/config.ts"
import { AnswerBudget } from "../wire/answer-budget.ts"
import type { ServeOptions } from "../wire/server.ts"

/** A client that does not read is held back at this many bytes of answers. */
const writeBufferBytesMax = 1_048_576

/** What a node that started with `config` bounds its connections by; `live` is what holds now. */
export const serveOptions = (config: NodeConfig, live: () => NodeConfig = () => config): ServeOptions => ({
  requestBytesMax: config["socket.request.max.bytes"],
  // Those that are open stay open when it falls.
  get connectionsMax() {
    return live()["max.connections"]
  },
  inFlightRequestsMax: config["max.in.flight.requests"],
  writeBufferBytesMax,
  answers: new AnswerBudget(config["queued.max.response.bytes"])
})
