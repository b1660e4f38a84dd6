import type { AdmittedConnection } from "../admission/admission.ts"
import type { Slot } from "./slots.ts"

/** A client's connection as its server bounds, sweeps and closes it. */
export interface OpenConnection {
  readonly admitted: AdmittedConnection
  /** Bytes that were received and do not make a whole request yet. */
  readonly partialBytes: number
  /** Seconds since the first of these bytes. */
  readonly partialSeconds: number
  /** Bytes of memory that requests of this connection hold. */
  readonly requestBytes: number
  /** The oldest request that can be answered early: the bytes of memory that it holds, and the second in which its wait began. */
  readonly oldestWait: Pick<Slot, "held" | "since"> | undefined
  /** Bytes of memory that responses hold which the client has not read. */
  readonly unreadBytes: number
  readonly isStalled: boolean
  /** Reads no more requests, closes when those that were read are answered, and then calls `whenDone` once, perhaps at once. */
  readonly stop: (whenDone: () => void) => void
  /** Closes after the responses that were written. Requests in flight are abandoned. */
  readonly end: () => void
  /** Closes the connection if it hangs. Called about once a second. */
  readonly sweep: (idleSeconds: number) => void
  /** Closes the connection at once and drops the responses that its client has not read: other clients need the memory. */
  readonly giveUp: () => void
  /** Closes the connection because requests hold more memory than the node has for them. */
  readonly relieve: () => void
  /** Answers the oldest waiting request at once, with the records that there are. */
  readonly hurry: () => void
}
