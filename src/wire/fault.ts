import { Data } from "effect"
import { type Address, formatAddress } from "../ports/transport.ts"

/** The connection closed, or was closed, before the answer came. Whether the request was carried out is not known. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{
  readonly address: Address
  readonly reason: string
  /** The bytes of an answer that is over the link's bound, where that is why. */
  readonly answerBytes?: number
}> {
  override get message(): string {
    return `the connection to ${formatAddress(this.address)} is lost: ${this.reason}`
  }
}

/** No answer in time. Whether the request was carried out is not known. The connection is closed, since everything behind the request waits too. */
export class CallTimeout extends Data.TaggedError("CallTimeout")<{ readonly address: Address; readonly api: string; readonly timeoutMs: number }> {
  override get message(): string {
    return `no answer to ${this.api} from ${formatAddress(this.address)} within ${this.timeoutMs} ms`
  }
}

/** The answer is not what its API and version say. The connection is closed. */
export class MalformedAnswer extends Data.TaggedError("MalformedAnswer")<{
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

/** What can become of a call besides an answer. */
export type CallFault = ConnectionLost | CallTimeout | MalformedAnswer | UnsupportedByPeer

/** A frame that no route answers. A connection that sent it would be closed. */
export class DispatchFault extends Data.TaggedError("DispatchFault")<{
  readonly kind: "malformed" | "unknownApi" | "unsupportedVersion" | "disconnected"
  readonly message: string
}> {}
