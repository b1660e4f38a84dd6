import type { AnyApi } from "../../src/protocol/type/wire.ts"

/** The two sides of a connection that goes through this process, by sockets or in memory. */
export interface Ends {
  readonly toClient: (bytes: Uint8Array) => void
  readonly toBroker: (bytes: Uint8Array) => void
  /** Breaks both sides at once: with RST where the transport has it. */
  readonly reset: () => void
  readonly later: (ms: number, task: () => void) => void
}

/** A response on its way to the client. */
export interface Response {
  readonly api: AnyApi
  readonly version: number
  readonly correlationId: number
  /** With the length before it. */
  readonly bytes: Uint8Array
}

/** A connection of a client. */
interface Struck {
  readonly ends: Ends
  /** Carries nothing more in any direction, and stays open. */
  isFrozen: boolean
}
type OnRequest = (conversation: Struck, frame: Uint8Array) => void
type OnResponse = (conversation: Struck, response: Response) => void

/** A fault of the network, or a lie of a broker. What it does replaces the delivery of the frame. */
export interface Fault {
  readonly name: string
  readonly onRequest?: OnRequest
  readonly onResponse?: OnResponse
  /** The only APIs whose responses it concerns. */
  readonly apiKeys?: ReadonlySet<number>
  /** The connections that are open become half-open; new ones work. */
  readonly freezes?: boolean
  /** A call succeeds all the same, within its own timeout, also while the fault lasts. */
  readonly harmless?: boolean
}

/** Injects one fault at a time into the conversations of one client. */
export class FaultSwitch {
  readonly conversations = new Set<Struck>()
  /** How often a fault was injected. */
  strikes = 0
  private fault: Fault | undefined
  private left = 0

  /** Injects the fault so many times, or until `clear`. */
  inject(fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.fault = fault
    this.left = times
    if (fault.freezes !== true) return
    for (const conversation of this.conversations) {
      conversation.isFrozen = true
      this.strikes += 1
    }
  }
  clear(): void {
    this.fault = undefined
  }

  ofRequest(): OnRequest | undefined {
    return this.fault?.onRequest !== undefined && this.takes() ? this.fault.onRequest : undefined
  }
  ofResponse(apiKey: number): OnResponse | undefined {
    const { fault } = this
    if (fault?.onResponse === undefined || fault.apiKeys?.has(apiKey) === false) return undefined
    return this.takes() ? fault.onResponse : undefined
  }
  private takes(): boolean {
    if (this.left <= 0) return false
    this.left -= 1
    this.strikes += 1
    return true
  }
}
