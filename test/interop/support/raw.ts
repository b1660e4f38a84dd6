import { connect, type Socket } from "node:net"
import { Either } from "effect"
import { decodeResponseFrame, requestFrame } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../../src/protocol/type/wire.ts"
import { deadlineMs } from "./process.ts"

/** A bare TCP connection, for bytes that no well-behaved client sends. */
export class RawConnection {
  private bytes = Buffer.alloc(0)
  private over = false
  private wake: () => void = () => undefined
  private constructor(private readonly socket: Socket) {
    socket.on("data", (chunk: Uint8Array) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.wake()
    })
    socket.on("error", () => undefined)
    socket.on("close", () => {
      this.over = true
      this.wake()
    })
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new RawConnection(socket)))
      socket.once("error", reject)
    })
  }
  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes)
  }
  close(): void {
    this.socket.destroy()
  }

  private async wait<A>(what: string, ask: () => A | undefined): Promise<A> {
    const timer = setTimeout(() => {
      this.over = true
      this.wake()
    }, deadlineMs)
    try {
      for (;;) {
        const found = ask()
        if (found !== undefined) return found
        if (this.over) throw new Error(`the connection ended before ${what}`)
        await new Promise<void>((resolve) => (this.wake = resolve))
      }
    } finally {
      clearTimeout(timer)
    }
  }
  /** The next response, without its length. */
  frame(): Promise<Uint8Array> {
    return this.wait("an answer came", () => {
      if (this.bytes.length < 4 || this.bytes.length < 4 + this.bytes.readInt32BE(0)) return undefined
      const size = this.bytes.readInt32BE(0)
      const frame = this.bytes.subarray(4, 4 + size)
      this.bytes = this.bytes.subarray(4 + size)
      return frame
    })
  }
  /** All bytes until the peer closes the connection. */
  untilClosed(): Promise<Uint8Array> {
    return this.wait("it was closed", () => (this.over ? this.bytes : undefined))
  }
  /** Sends one valid request; returns its response. */
  async call<A extends AnyApi>(api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A>> {
    this.send(joined(requestFrame(api, version, { correlationId: 7, clientId: "raw" }, draft)))
    return Either.getOrThrow(decodeResponseFrame(api, version, await this.frame())).value
  }
}
