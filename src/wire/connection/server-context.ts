import type { Runtime } from "effect"
import type { Admission } from "../admission/admission.ts"
import type { AnswerBudget } from "../memory/answer-budget.ts"
import type { MemoryBudget } from "../memory/memory-budget.ts"
import type { RequestCounts } from "../metrics/request-counts.ts"
import type { RouteTable } from "../routing/route-table.ts"
import type { Turns } from "../slicing/turns.ts"
import type { ConnectionLog } from "./connection-log.ts"
import type { OpenConnection } from "./open-connection.ts"

/** What the connections share that came through one listener. */
export interface ListenerContext {
  readonly name: string | undefined
  readonly table: RouteTable
}
/** What all connections of one server share. */
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
  readonly answers: AnswerBudget
  /** Closes connections until the account of the memory is not full. */
  readonly relieve: () => void
  /** Seconds since the server started, roughly: a clock is not read for every chunk. */
  seconds: number
  readonly forget: (connection: OpenConnection) => void
}
