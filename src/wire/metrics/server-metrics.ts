import type { Effect, Scope } from "effect"
import { gaugeSample, type MetricSample, registerMetrics } from "../../ports/metrics.ts"
import type { MemoryBudget } from "../memory/memory-budget.ts"
import type { RequestCounts } from "./request-counts.ts"

/** The sources of a server's metrics. */
interface MeasuredServer {
  readonly counts: RequestCounts
  readonly memory: MemoryBudget
  readonly open: ReadonlySet<unknown>
}

function* samples({ counts, memory, open }: MeasuredServer): Generator<MetricSample> {
  yield* counts.samples()
  yield gaugeSample("franz_connections", "Connections that are open.", open.size)
  const held = "Memory that requests and responses of the process hold, bytes."
  yield gaugeSample("franz_request_memory_bytes", held, memory.requestBytes, { kind: "requests" })
  yield gaugeSample("franz_request_memory_bytes", held, memory.heldBytes - memory.requestBytes, { kind: "responses" })
  yield gaugeSample("franz_request_memory_limit_bytes", "The bound of franz_request_memory_bytes.", memory.bytesMax)
}

/** Adds the server's metrics to those of the node, where the node has any. */
export const registerServer = (server: MeasuredServer): Effect.Effect<void, never, Scope.Scope> => registerMetrics(() => samples(server))
