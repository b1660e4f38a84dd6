import { Either } from "effect"
import { decodeRequestHeader, decodeResponseFrame, responseFrame } from "../../src/protocol/codec/frame.ts"
import { apiByKey } from "../../src/protocol/message/registry.ts"
import type { AnyApi, ResponseDraft } from "../../src/protocol/type/wire.ts"
import type { Ends, FaultSwitch, Response } from "./fault-switch.ts"

const prefixBytes = 4
const int32At = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getInt32(at)

/** Cuts a stream of bytes into frames, each with its length before it. */
class Frames {
  private rest = new Uint8Array(0)
  /** Adds bytes, and calls `then` for each frame that is whole. */
  add(bytes: Uint8Array, then: (frame: Uint8Array) => void): void {
    const all = new Uint8Array(this.rest.length + bytes.length)
    all.set(this.rest)
    all.set(bytes, this.rest.length)
    let at = 0
    while (all.length - at >= prefixBytes) {
      const end = at + prefixBytes + int32At(all, at)
      if (end > all.length) break
      then(all.subarray(at, end))
      at = end
    }
    this.rest = all.slice(at)
  }
}

/** The value of a response, which a fault may change before it is encoded again. */
export type ResponseValue = Readonly<Record<string, unknown>>

/** Returns the response with another value; unchanged where it cannot be read or written. */
export const changed = (response: Response, change: (value: ResponseValue) => ResponseValue): Uint8Array => {
  const { api, bytes, correlationId, version } = response
  const read = decodeResponseFrame(api, version, bytes.subarray(prefixBytes))
  if (Either.isLeft(read)) return bytes
  try {
    return Buffer.concat(responseFrame(api, version, correlationId, change(read.right.value as ResponseValue) as ResponseDraft<AnyApi>))
  } catch {
    return bytes
  }
}

/** What one connection carries, frame by frame: faults are injected between the frames. */
export class Conversation {
  private readonly fromClientFrames = new Frames()
  private readonly fromBrokerFrames = new Frames()
  private readonly requests = new Map<number, { readonly api: AnyApi | undefined; readonly version: number }>()
  /** Carries nothing more in any direction, and stays open. */
  isFrozen = false

  constructor(
    readonly ends: Ends,
    private readonly faults: FaultSwitch,
    /** Changes what responses say of the addresses of nodes. */
    private readonly rewrite: (response: Response) => Uint8Array = ({ bytes }) => bytes
  ) {
    faults.conversations.add(this)
  }

  fromClient(bytes: Uint8Array): void {
    this.fromClientFrames.add(bytes, (frame) => {
      const header = decodeRequestHeader(frame.subarray(prefixBytes))
      if (Either.isRight(header)) {
        const { apiKey, apiVersion, correlationId } = header.right.header
        this.requests.set(correlationId, { api: apiByKey(apiKey), version: apiVersion })
      }
      if (this.isFrozen) return
      const strike = this.faults.ofRequest()
      if (strike === undefined) this.ends.toBroker(frame)
      else strike(this, frame)
    })
  }
  fromBroker(bytes: Uint8Array): void {
    this.fromBrokerFrames.add(bytes, (frame) => {
      if (this.isFrozen) return
      const correlationId = int32At(frame, prefixBytes)
      const request = this.requests.get(correlationId)
      this.requests.delete(correlationId)
      if (request?.api === undefined) return this.ends.toClient(frame)
      const plain = { api: request.api, version: request.version, correlationId, bytes: frame }
      const response = { ...plain, bytes: this.rewrite(plain) }
      const strike = this.faults.ofResponse(response.api.key)
      if (strike === undefined) this.ends.toClient(response.bytes)
      else strike(this, response)
    })
  }
  closed(): void {
    this.faults.conversations.delete(this)
  }
}
