import { type Clock, Deferred, Duration, Effect, Either, Exit, type Fiber, FiberId, Runtime } from "effect"
import type { Address, Connection, Listener } from "../../ports/transport.ts"
import { describeResponseFault, type FrameFault } from "../connection/frame-fault.ts"
import { Framer, isFrame } from "../connection/framer.ts"
import { type CallFault, CallTimeout, ConnectionLost } from "../fault.ts"
import { InFlight, type Pending } from "./in-flight.ts"

export interface LinkOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Requests that are sent and not answered. */
  readonly inFlightRequestsMax: number
  /** Bytes of one response at most; a longer one closes the connection. */
  readonly responseBytesMax: number
}

/** Bytes that may wait for a peer that does not read before the link sends no more. */
const writeBufferBytesMax = 4 * 1024 * 1024

/**
 * A response of megabytes comes in chunks of half a megabyte at most. Its memory is allocated at once when an eighth has
 * come; pages that nothing has written are not resident.
 */
const assemblyGrowth = 8

type Settle = NonNullable<Pending["settle"]>
/** A request that waits for its turn. */
interface Waiting {
  readonly correlationId: number
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly pending: Pending
  /** Whether a response is due. */
  readonly answered: boolean
}
interface Submission {
  /** The whole frame, length prefix first. May throw EncodeError, which is the caller's. */
  readonly encode: (correlationId: number) => ReadonlyArray<Uint8Array>
  readonly answered: boolean
  /** The API's name, for the words of a timeout. */
  readonly api: string
  readonly timeoutMs: number
  /** The response is late before its time when nothing at all has come for this long. Default: `timeoutMs`. */
  readonly silenceMs?: number
  /** Sent also while the link is held, before all that waits. */
  readonly urgent?: boolean
}

/** The listener of a link's connection: sends in order, matches responses, watches deadlines. */
export class LinkConnection implements Listener {
  private readonly framer: Framer
  private readonly inFlight = new InFlight()
  /** The callers are suspended fibers with deadlines, so their number is bounded by the callers. */
  private waiting: Array<Waiting> = []
  private unread = 0
  /** Counts what comes. */
  private heard = 0
  private responses = 0
  private lost: ConnectionLost | undefined
  /** Only requests that are `urgent` are sent meanwhile. */
  private held = false
  /** Called when no response is due while the link is held. */
  private idle: (() => void) | undefined
  /** When the timer fires; infinite where there is none. */
  private timerAt = Number.POSITIVE_INFINITY
  private timer: Fiber.RuntimeFiber<void> | undefined
  readonly over = Deferred.unsafeMake<never, ConnectionLost>(FiberId.none)

  constructor(
    private readonly address: Address,
    readonly connection: Connection,
    private readonly options: LinkOptions,
    private readonly clock: Clock.Clock,
    private readonly runtime: Runtime.Runtime<never>
  ) {
    this.framer = new Framer(options.responseBytesMax, assemblyGrowth)
  }

  get isOpen(): boolean {
    return this.lost === undefined
  }

  /** Holds requests back until `release`; completes when no response is due. Those that are `urgent` are sent meanwhile. */
  readonly hold: Effect.Effect<void> = Effect.async((resume) => {
    this.held = true
    if (this.inFlight.count === 0 || this.lost !== undefined) return resume(Effect.void)
    this.idle = () => {
      this.idle = undefined
      resume(Effect.void)
    }
  })
  release(): void {
    this.held = false
    this.idle = undefined
    this.writeWaiting()
  }

  /** Sends now or when its turn comes. `settle` gets the response's frame; empty bytes for a request without a response, once it is sent. Returns how to leave. */
  submit({ encode, answered, api, timeoutMs, silenceMs = timeoutMs, urgent = false }: Submission, settle: Settle): () => void {
    if (this.lost !== undefined) {
      settle(Either.left(this.lost))
      return () => {}
    }
    const correlationId = this.inFlight.nextId()
    const chunks = encode(correlationId)
    const now = this.now()
    const pending: Pending = { settle, lookAt: now + Math.min(timeoutMs, silenceMs), deadline: now + timeoutMs, silenceMs, heard: this.heard, api, timeoutMs }
    const waiting: Waiting = { correlationId, chunks, pending, answered }
    if (urgent) this.write(waiting)
    else if (this.waiting.length > 0 || !this.mayWrite) this.waiting.push(waiting)
    else this.write(waiting)
    if (pending.settle !== undefined) this.watch(pending.lookAt)
    return () => {
      pending.settle = undefined
      this.waiting = this.waiting.filter((one) => one !== waiting)
    }
  }

  received(bytes: Uint8Array): void {
    if (this.lost !== undefined) return
    this.heard += 1
    this.framer.push(bytes)
    let isLent = false
    for (;;) {
      const frame = this.lost === undefined ? this.framer.next() : undefined
      if (frame === undefined) break
      if (!isFrame(frame)) return this.unframed(frame)
      const pending = this.inFlight.answered(frame)
      if (pending === undefined) return this.lose("it sent a response to no request")
      this.responses += 1
      isLent ||= !this.framer.ownsMemory
      pending.settle?.(Either.right(frame))
    }
    // The next chunk gets the same memory, which is still in the processor's cache.
    if (!isLent && !this.framer.holdsChunks && this.isOpen) this.connection.release(bytes)
    if (this.inFlight.count === 0) this.idle?.()
    this.writeWaiting()
  }
  drained(): void {
    this.unread = 0
    this.writeWaiting()
  }
  closed(cause?: string): void {
    this.lose(cause === undefined ? `it was closed by the other side${this.closedEarly()}` : cause)
  }
  /** Why a peer may close a connection at its first requests. */
  private closedEarly(): string {
    if (this.inFlight.count === 0 || this.responses > 1) return ""
    return this.responses === 0 ? " before any response: its port may expect TLS" : " at the first request: its port may require authentication (SASL)"
  }

  /** Closes the link, and fails the calls in flight. A clean close still sends the written bytes; a lost peer gets nothing more. */
  lose(reason: string, orderly = false): void {
    this.loseBy(new ConnectionLost({ address: this.address, reason }), orderly)
  }
  /** Closes the link after bytes that are no response, or one that is too large: the start of the next response is unknown. */
  private unframed(fault: FrameFault): void {
    const { kind, message } = describeResponseFault(fault)
    if (kind === "alert") return this.loseBy(new ConnectionLost({ address: this.address, reason: message, expectsTls: true }), false)
    if (kind !== "oversized") return this.lose(message)
    const reason = `its answer has ${fault.length} bytes, over responseBytesMax=${fault.bytesMax}`
    this.loseBy(new ConnectionLost({ address: this.address, reason, responseBytes: fault.length }), false)
  }
  private loseBy(lost: ConnectionLost, orderly: boolean): void {
    if (this.lost !== undefined) return
    this.lost = lost
    if (orderly) this.connection.end()
    else this.connection.destroy()
    this.idle?.()
    this.timer?.unsafeInterruptAsFork(FiberId.none)
    const callers = [...this.inFlight.clear(), ...this.waiting.map(({ pending }) => pending)]
    this.waiting = []
    for (const { settle } of callers) settle?.(Either.left(lost))
    Deferred.unsafeDone(this.over, Exit.fail(lost))
  }

  private get mayWrite(): boolean {
    return this.lost === undefined && !this.held && this.unread <= writeBufferBytesMax && this.inFlight.count < this.options.inFlightRequestsMax
  }
  private writeWaiting(): void {
    while (this.mayWrite) {
      const next = this.waiting.shift()
      if (next === undefined) return
      this.write(next)
    }
  }
  private write({ correlationId, chunks, pending, answered }: Waiting): void {
    if (answered) this.inFlight.add(correlationId, pending)
    this.unread = this.connection.write(chunks)
    if (!answered) {
      pending.settle?.(Either.right(nothing))
      pending.settle = undefined
    }
  }

  private now(): number {
    return Number(this.clock.unsafeCurrentTimeNanos() / 1_000_000n)
  }
  /** One timer for the earliest deadline: calls come and go by the thousand, and hardly any of them times out. */
  private watch(deadline: number): void {
    if (deadline >= this.timerAt || this.lost !== undefined) return
    this.timerAt = deadline
    this.timer?.unsafeInterruptAsFork(FiberId.none)
    // A process that was paused, or had no processor, finds its timers due before it has read what arrived meanwhile.
    const wait = Effect.zipRight(this.clock.sleep(Duration.millis(Math.max(0, deadline - this.now()))), this.clock.sleep(Duration.zero))
    // A link that is opened by a finalizer has a runtime that cannot be interrupted: its timer would outlive it, and hold the process.
    this.timer = Runtime.runFork(this.runtime)(Effect.interruptible(Effect.map(wait, this.timeUp)))
  }
  private readonly timeUp = (): void => {
    if (this.lost !== undefined) return
    this.timer = undefined
    this.timerAt = Number.POSITIVE_INFINITY
    const now = this.now()
    const late = this.waiting.filter(({ pending }) => pending.deadline <= now)
    this.waiting = this.waiting.filter(({ pending }) => pending.deadline > now)
    for (const { pending } of late) pending.settle?.(this.timedOut(pending))
    let first = this.inFlight.earliest()
    for (; first !== undefined && first.lookAt <= now; first = this.inFlight.earliest()) {
      if (now >= first.deadline || first.heard === this.heard) return this.late(first)
      // Bytes have arrived since: the peer is alive, and the response may follow them.
      first.heard = this.heard
      first.lookAt = Math.min(first.deadline, now + first.silenceMs)
    }
    const next = Math.min(first?.lookAt ?? Number.POSITIVE_INFINITY, ...this.waiting.map(({ pending }) => pending.deadline))
    if (next < Number.POSITIVE_INFINITY) this.watch(next)
  }
  /** Closes the link, since a late response makes the later ones on the connection late too. */
  private late(pending: Pending): void {
    const { api, settle, silenceMs, timeoutMs } = pending
    pending.settle = undefined
    settle?.(this.timedOut(pending))
    this.lose(`${api} was not answered within ${Math.min(timeoutMs, silenceMs)} ms`)
  }
  get inFlightCount(): number {
    return this.inFlight.count
  }
  /** For how long nothing has come although a response is due, ms; 0 where none is. */
  get silentMs(): number {
    const since = this.inFlight.silentSince(this.heard)
    return since === undefined ? 0 : Math.max(0, this.now() - since)
  }
  private timedOut({ api, timeoutMs }: Pending): Either.Either<Uint8Array, CallFault> {
    return Either.left(new CallTimeout({ address: this.address, api, timeoutMs }))
  }
}

const nothing = new Uint8Array(0)
