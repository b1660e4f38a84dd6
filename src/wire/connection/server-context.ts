import type { Runtime } from "effect"
import type { Admission } from "../admission/admission.ts"
import type { MemoryBudget } from "../memory/memory-budget.ts"
import type { ResponseBudget } from "../memory/response-budget.ts"
import type { RequestCounts } from "../metrics/request-counts.ts"
import type { RouteTable } from "../routing/route-table.ts"
import type { Turns } from "../slicing/turns.ts"
import type { ConnectionLog } from "./connection-log.ts"
import type { OpenConnection } from "./open-connection.ts"

/** Shared by the connections that one listener accepted. */
export interface ListenerContext {
  readonly name: string | undefined
  readonly table: RouteTable
}
/** Shared by all connections of one server. */
export interface ServerContext {
  readonly runtime: Runtime.Runtime<never>
  readonly turns: Turns
  readonly connectionLog: ConnectionLog
  readonly counts: RequestCounts
  readonly requestBytesMax: number
  readonly inFlightRequestsMax: number
  readonly inFlightBytesMax: number
  readonly writeBufferBytesMax: number
  readonly admission: Admission
  readonly memory: MemoryBudget
  readonly answers: ResponseBudget
  /** Closes connections until the memory budget is not full. */
  readonly relieve: () => void
  /** Approximate seconds since the server started: reading a clock for every chunk would cost too much. */
  seconds: number
  readonly forget: (connection: OpenConnection) => void
}
