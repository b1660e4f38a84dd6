import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { Connection, Listener } from "../../ports/transport.ts"
import { readInt32, writeInt32 } from "../../protocol/codec/words.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import { errorAnswer, metadataWithError } from "./error-answer.ts"
import type { Faults } from "./faults.ts"
import { joined } from "./joined.ts"

/** A longer request passes without a look at it: it would have to be held. */
const frameBytesMax = 16 * 1024 * 1024
/** Length, API key, version and correlation id. */
const headBytes = 12
const noBytes = new Uint8Array(0)

/** What a listener of a faulty transport knows of its connections. */
interface Faulty {
  readonly faults: Faults
  readonly port: () => number
  /** Whether the other end is a node of the cluster. */
  readonly isNode: (connection: Connection) => boolean
  /** Returns how to cancel the task. */
  readonly after: (ms: number, task: () => void) => () => void
}
type OnResponse = { readonly kind: "drop" } | { readonly kind: "disconnect" } | { readonly kind: "change"; readonly to: (frame: Uint8Array) => Uint8Array }

const readInt16 = (from: Uint8Array, at: number): number => ((from[at] as number) << 8) | (from[at + 1] as number)

/**
 * An ApiVersions request of version 0 in the place of one that is answered with an error: the node handles nothing, and
 * its response has the place in the order that the error's needs.
 */
const placeholder = (correlationId: number): Uint8Array => {
  const frame = new Uint8Array(14)
  writeInt32(frame, 0, 10)
  frame[5] = 18
  writeInt32(frame, 8, correlationId)
  frame.fill(0xff, 12)
  return frame
}

/** The node's end of a connection, between the transport and the node. */
export class FaultyConnection {
  private listener: Listener | undefined
  /** The start of a request that is not whole. */
  private partial = noBytes
  /** Bytes still to come of a request that the node has the start of. */
  private passing = 0
  /** Requests behind one that is delayed. */
  private delayed: Array<Uint8Array> | undefined
  private cancelDelay = (): void => undefined
  private isDeaf = false
  private isMute = false
  private readonly responses = new Map<number, OnResponse>()
  /** What the node sees. */
  readonly connection: Connection

  constructor(
    private readonly inner: Connection,
    private readonly context: Faulty
  ) {
    this.connection = {
      id: inner.id,
      remote: inner.remote,
      local: inner.local,
      write: (chunks, taken) => this.write(chunks, taken),
      // The chunks of the transport are cut here, and the node would release the rest of one with its part.
      release: () => undefined,
      pause: () => inner.pause(),
      resume: () => inner.resume(),
      end: () => inner.end(),
      destroy: () => inner.destroy()
    }
  }

  /** What the transport sees of the node. */
  listen(listener: Listener): Listener {
    this.listener = listener
    return {
      received: (bytes) => this.received(bytes),
      drained: () => listener.drained(),
      closed: (cause) => {
        this.cancelDelay()
        this.isDeaf = true
        if (cause === undefined) listener.closed()
        else listener.closed(cause)
      }
    }
  }

  private received(bytes: Uint8Array): void {
    if (this.isDeaf) return
    if (this.delayed !== undefined) return void this.delayed.push(bytes)
    const data = this.partial.length === 0 ? bytes : joined([this.partial, bytes])
    this.partial = noBytes
    let at = Math.min(this.passing, data.length)
    this.passing -= at
    let from = 0
    while (data.length - at >= 4) {
      const size = 4 + readInt32(data, at)
      if (this.context.faults.isEmpty || size < headBytes || size > frameBytesMax || this.context.isNode(this.inner)) {
        at += size < headBytes ? data.length - at : size
        continue
      }
      if (at + size > data.length) break
      const frame = data.subarray(at, at + size)
      const onward = this.decide(frame)
      if (onward !== frame) {
        this.pass(data.subarray(from, at))
        from = at + size
        if (onward === "wait") return this.hold(data.subarray(at))
        if (onward === undefined) return
        this.pass(onward)
      }
      at += size
    }
    this.passing += Math.max(0, at - data.length)
    this.pass(data.subarray(from, Math.min(at, data.length)))
    this.partial = at < data.length ? data.slice(at) : noBytes
  }
  private pass(bytes: Uint8Array): void {
    if (bytes.length > 0) this.listener?.received(bytes)
  }

  /** Returns what the node gets in the place of a request: nothing, which closes or silences the connection, or "wait". */
  private decide(frame: Uint8Array): Uint8Array | "wait" | undefined {
    const { faults, port } = this.context
    const fault = faults.find(readInt16(frame, 4), port())
    if (fault === undefined) return frame
    const { action, api } = fault
    const correlationId = readInt32(frame, 8)
    if ("errorCode" in action) {
      const code = errorCode(action.errorCode)
      const version = readInt16(frame, 6)
      const isMetadata = api.key === Metadata.key
      const answer = isMetadata ? undefined : errorAnswer(api, frame.subarray(4), code)
      if (!isMetadata && answer === undefined) return frame
      faults.strike(fault)
      const to = answer === undefined ? (real: Uint8Array) => metadataWithError(real, version, correlationId, code) : () => answer
      this.responses.set(correlationId, { kind: "change", to })
      return isMetadata ? frame : placeholder(correlationId)
    }
    faults.strike(fault)
    if ("delayMs" in action) {
      this.cancelDelay = this.context.after(action.delayMs, () => this.release())
      return "wait"
    }
    const [kind, of] = "drop" in action ? (["drop", action.drop] as const) : (["disconnect", action.disconnect] as const)
    if (of === "response") {
      this.responses.set(correlationId, { kind })
      return frame
    }
    this.isDeaf = true
    if (kind === "disconnect") this.inner.destroy()
    return undefined
  }

  /** The first request of `data` has its fault; those behind it are looked at when it has passed. */
  private hold(data: Uint8Array): void {
    this.delayed = [data]
  }
  private release(): void {
    const [data = noBytes, ...more] = this.delayed ?? []
    this.delayed = undefined
    const size = 4 + readInt32(data, 0)
    this.pass(data.subarray(0, size))
    for (const bytes of [data.subarray(size), ...more]) this.received(bytes)
  }

  /** Each call of the node is of whole responses. */
  private write(chunks: ReadonlyArray<Uint8Array>, taken?: () => void): number {
    if (this.isMute) {
      taken?.()
      return 0
    }
    if (this.responses.size === 0) return this.inner.write(chunks, taken)
    const data = joined(chunks)
    const left: Array<Uint8Array> = []
    let after: OnResponse["kind"] | undefined
    for (let at = 0; at + 8 <= data.length && after === undefined; ) {
      const size = 4 + readInt32(data, at)
      const frame = data.subarray(at, at + size)
      const correlationId = readInt32(frame, 4)
      const on = this.responses.get(correlationId)
      this.responses.delete(correlationId)
      if (on === undefined) left.push(frame)
      else if (on.kind === "change") left.push(on.to(frame))
      else after = on.kind
      at += size
    }
    taken?.()
    this.isMute = after !== undefined
    const waiting = this.inner.write(left)
    if (after === "disconnect") this.inner.end()
    return waiting
  }
}
