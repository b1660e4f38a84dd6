import { Either } from "effect"
import { decodeResponseFrame, requestFrame } from "../../src/protocol/codec/frame.ts"
import { joined } from "../../src/protocol/codec/joined.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../src/protocol/type/wire.ts"

/** Load straight on TCP: prebuilt frames and a count of answers, so that no client library affects the figure. */

const clientId = "franz-bench"

interface Socket {
  write(bytes: Uint8Array): number
  end(): void
}

/** An answer, without its length. Of a large one only the start is kept when only its size matters. */
export interface ResponseFrame {
  readonly bytes: Uint8Array
  readonly size: number
}
interface Waiting {
  readonly keepBytes: number
  readonly resolve: (answer: ResponseFrame) => void
  readonly reject: (cause: Error) => void
}

/** One connection: frames go out, answers come in, in order. */
export class Wire {
  private socket: Socket | undefined
  private unsent: Array<Uint8Array> = []
  private failure: Error | undefined
  private waiting: Array<Waiting> = []
  /** The answer that is coming in: its length so far, its size, what is still to come, and what is kept of it. */
  private head = 0
  private headBytes = 0
  private size = 0
  private left = 0
  private kept: Array<Uint8Array> = []
  private keptBytes = 0

  static async open(port: number): Promise<Wire> {
    const wire = new Wire()
    wire.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        binaryType: "uint8array",
        open: (socket) => void socket.setNoDelay(true),
        data: (_, bytes) => wire.received(bytes),
        drain: () => wire.flush(),
        close: () => wire.fail(new Error(`the broker on port ${port} closed the connection`)),
        error: (_, cause) => wire.fail(cause)
      }
    })
    return wire
  }

  /** The next answer, to `frame`; at most `keepBytes` of it are kept. */
  ask(frame: Uint8Array, keepBytes = Number.POSITIVE_INFINITY): Promise<ResponseFrame> {
    if (this.failure) return Promise.reject(this.failure)
    const answer = new Promise<ResponseFrame>((resolve, reject) => this.waiting.push({ keepBytes, resolve, reject }))
    this.unsent.push(frame)
    if (this.unsent.length === 1) this.flush()
    return answer
  }

  close(): void {
    this.failure ??= new Error("closed")
    this.socket?.end()
  }

  private flush(): void {
    for (let next = this.unsent[0]; next; next = this.unsent[0]) {
      const sent = this.socket?.write(next) ?? 0
      if (sent < next.length) {
        this.unsent[0] = next.subarray(Math.max(0, sent))
        return
      }
      this.unsent.shift()
    }
  }

  private received(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.left === 0) {
        this.head = this.head * 256 + (bytes[at++] as number)
        if (++this.headBytes === 4) {
          this.size = this.left = this.head
          this.head = this.headBytes = 0
        }
        continue
      }
      const take = Math.min(this.left, bytes.length - at)
      const keep = Math.min(take, (this.waiting[0]?.keepBytes ?? 0) - this.keptBytes)
      if (keep > 0) {
        this.kept.push(bytes.subarray(at, at + keep))
        this.keptBytes += keep
      }
      at += take
      this.left -= take
      if (this.left === 0) this.answered()
    }
  }

  private answered(): void {
    const answer = { bytes: this.kept.length === 1 ? (this.kept[0] as Uint8Array) : joined(this.kept), size: this.size }
    this.kept = []
    this.keptBytes = 0
    this.waiting.shift()?.resolve(answer)
  }

  private fail(cause: Error): void {
    this.failure ??= cause
    for (const { reject } of this.waiting.splice(0)) reject(this.failure)
  }
}

/** A whole request in one piece, to be sent as often as one likes. */
export const frameOf = <A extends AnyApi>(api: A, version: number, draft: RequestDraft<A>): Uint8Array =>
  joined(requestFrame(api, version, { correlationId: 1, clientId }, draft))

export const answerOf = <A extends AnyApi>(api: A, version: number, { bytes }: ResponseFrame): ResponseOf<A> =>
  Either.getOrThrow(decodeResponseFrame(api, version, bytes)).value

export const call = async <A extends AnyApi>(wire: Wire, api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A>> =>
  answerOf(api, version, await wire.ask(frameOf(api, version, draft)))

/** Opens a connection for the time of `use`. */
export const withWire = async <A>(port: number, use: (wire: Wire) => Promise<A>): Promise<A> => {
  const wire = await Wire.open(port)
  try {
    return await use(wire)
  } finally {
    wire.close()
  }
}
