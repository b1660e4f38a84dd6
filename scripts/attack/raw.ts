import { connect, type Socket } from "node:net"
import { Either } from "effect"
import { decodeResponseFrame, requestFrame } from "../../src/protocol/codec/frame.ts"
import { joined } from "../../src/protocol/codec/joined.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../src/protocol/type/wire.ts"

/** How long a connection waits for an answer, ms: it ends an attack that hangs, and says nothing about speed. */
const answerWithinMs = 120_000

/** A connection of an attacker: bytes go out as they are, answers are counted and thrown away, unless one is asked for. */
export class Raw {
  private kept: Array<Uint8Array> = []
  private keptBytes = 0
  private waiting: { readonly resolve: (frame: Uint8Array) => void; readonly reject: (cause: Error) => void } | undefined
  /** Bytes that came since the connection was opened. */
  receivedBytes = 0
  /** Whole answers that came since. */
  answers = 0
  isOpen = true

  private constructor(
    readonly socket: Socket,
    reads: boolean
  ) {
    if (!reads) socket.pause()
    else socket.on("data", (bytes: Uint8Array) => this.received(bytes))
    socket.on("error", () => undefined)
    socket.on("close", () => {
      this.isOpen = false
      this.waiting?.reject(new Error("the node closed the connection"))
    })
  }

  /** Opens a connection; undefined when the node does not take one. `reads: false` never takes an answer from the socket. */
  static open(port: number, { host = "127.0.0.1", reads = true }: { readonly host?: string; readonly reads?: boolean } = {}): Promise<Raw | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ port, host: "127.0.0.1", localAddress: host }, () => {
        socket.off("error", refused)
        socket.setNoDelay(true)
        resolve(new Raw(socket, reads))
      })
      const refused = () => resolve(undefined)
      socket.once("error", refused)
    })
  }

  /** Hands bytes to the socket; returns when it has room for more, or is closed. */
  send(bytes: Uint8Array): Promise<void> {
    if (!this.isOpen || this.socket.write(bytes)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off("drain", done)
        this.socket.off("close", done)
        resolve()
      }
      this.socket.once("drain", done)
      this.socket.once("close", done)
    })
  }

  /** The next whole answer, without its length. Rejects when the connection ends before it, or nothing comes for two minutes. */
  frame(): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs)
      const settle =
        <A>(then: (value: A) => void) =>
        (value: A) => {
          clearTimeout(timer)
          this.waiting = undefined
          then(value)
        }
      this.waiting = { resolve: settle(resolve), reject: settle(reject) }
      if (this.isOpen) this.cut()
      else this.waiting.reject(new Error("the node closed the connection"))
    })
  }
  async call<A extends AnyApi>(api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A>> {
    const answer = this.frame()
    answer.catch(() => undefined)
    await this.send(requestBytes(api, version, draft))
    return Either.getOrThrow(decodeResponseFrame(api, version, await answer)).value
  }
  close(): void {
    this.isOpen = false
    this.socket.destroy()
  }

  private received(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length
    this.kept.push(bytes)
    this.keptBytes += bytes.length
    this.cut()
  }
  /** Cuts whole answers off what came; those that are not waited for are thrown away. */
  private cut(): void {
    for (;;) {
      if (this.keptBytes < 4) return
      if (this.kept[0] !== undefined && this.kept[0].length < 4) this.kept = [joined(this.kept)]
      const first = this.kept[0] as Uint8Array
      const size = 4 + new DataView(first.buffer, first.byteOffset, 4).getUint32(0)
      if (this.keptBytes < size) return
      const all = joined(this.kept)
      this.kept = all.length > size ? [all.subarray(size)] : []
      this.keptBytes -= size
      this.answers++
      const { waiting } = this
      if (waiting !== undefined) return waiting.resolve(all.subarray(4, size))
    }
  }
}

/** A whole request, length first. */
export const requestBytes = <A extends AnyApi>(api: A, version: number, draft: RequestDraft<A>, clientId = "stranger"): Uint8Array =>
  joined(requestFrame(api, version, { correlationId: 1, clientId }, draft))

/** Opens a connection for the time of `use`; undefined when the node takes none, or when it ended the connection. */
export const withRaw = async <A>(port: number, use: (raw: Raw) => Promise<A>): Promise<A | undefined> => {
  const raw = await Raw.open(port)
  if (raw === undefined) return undefined
  try {
    return await use(raw)
  } catch {
    return undefined
  } finally {
    raw.close()
  }
}

/** Lets answers and timers of this process have their turn. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
