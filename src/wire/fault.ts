import { Data } from "effect"
import { type Address, formatAddress } from "../ports/transport.ts"

/** The connection closed, or was closed, before the response arrived. The peer may have handled the request. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{
  readonly address: Address
  readonly reason: string
  /** The bytes of a response over the link's bound, if that is the reason. */
  readonly responseBytes?: number
  /** The peer responded as TLS does to a client without it. */
  readonly expectsTls?: true
}> {
  override get message(): string {
    return `the connection to ${formatAddress(this.address)} is lost: ${this.reason}`
  }
}

/** The peer did not respond in time. It may have handled the request. The link closes the connection, since the later requests on it wait too. */
export class CallTimeout extends Data.TaggedError("CallTimeout")<{ readonly address: Address; readonly api: string; readonly timeoutMs: number }> {
  override get message(): string {
    return `${formatAddress(this.address)} sent no response to ${this.api} within ${this.timeoutMs} ms`
  }
}

/** The response does not have the form of its API and version. The link closes the connection. */
export class MalformedResponse extends Data.TaggedError("MalformedResponse")<{
  readonly address: Address
  readonly api: string
  /** Path of the field and position of the byte, as in DecodeError. */
  readonly field: string
  readonly position: number
  readonly reason: string
}> {
  override get message(): string {
    return `${formatAddress(this.address)} answered ${this.api} with bytes that cannot be read: ${this.field === "" ? "" : `${this.field}: `}${this.reason} (byte ${this.position})`
  }
}

/** The peer does not have this API, or no version of it that we know. Nothing was sent. */
export class UnsupportedByPeer extends Data.TaggedError("UnsupportedByPeer")<{ readonly address: Address; readonly api: string; readonly reason: string }> {
  override get message(): string {
    return `${formatAddress(this.address)} cannot answer ${this.api}: ${this.reason}`
  }
}

/** The errors of a call. */
export type CallFault = ConnectionLost | CallTimeout | MalformedResponse | UnsupportedByPeer

/** A frame that no route can handle. The server would close a connection that sent it. */
export class DispatchFault extends Data.TaggedError("DispatchFault")<{
  readonly kind: "malformed" | "unknownApi" | "unsupportedVersion" | "disconnected"
  readonly message: string
}> {}
