import { Cause, Effect, Either, Exit, FiberId, Runtime } from "effect"
import type { Connection, Listener } from "../../ports/transport.ts"
import type { DecodeError } from "../../protocol/codec/decode-error.ts"
import type { AdmittedConnection } from "../admission/admission.ts"
import { Later } from "../later.ts"
import { Holding } from "../memory/holding.ts"
import { smallRequestBytes } from "../memory/memory-budget.ts"
import { Disconnect, Encoded, NoResponse, type RequestContext, type Route, responseTo, type Started, Unreadable } from "../route.ts"
import { malformedMessage } from "../routing/route-table.ts"
import { Session } from "../session.ts"
import { Sliced, sliceNs } from "../sliced.ts"
import { abandon, finished, leavesToWait } from "../slicing/heavy.ts"
import { Ticket } from "../slicing/turns.ts"
import { FrameClock } from "./frame-clock.ts"
import { describeFrameFault } from "./frame-fault.ts"
import { Framer, free, isFrame } from "./framer.ts"
import type { OpenConnection } from "./open-connection.ts"
import type { ListenerContext, ServerContext } from "./server-context.ts"
import { placeBytes, type Slot, Slots, slotOf } from "./slots.ts"
import { send, Unread } from "./unread.ts"

/** How long a client may take to read its last responses after the server has ended the connection. */
const lingerSeconds = 5
/** Steps (requests taken, responses sent) between two looks at the clock: a power of two. */
const stepsPerLook = 8
const nothing: ReadonlyArray<Uint8Array> = []

/** The server's end of one client connection. */
export class ServerConnection implements Listener, OpenConnection {
  private readonly framer: Framer
  private readonly slots = new Slots()
  private readonly unread: Unread
  private readonly session: Session
  private paused = false
  private pumping = false
  /** Set once the server stops: called when the requests of this connection are answered, or the connection closes before that. */
  private whenDone: (() => void) | undefined
  private ended = false
  private endedAt = 0
  private activeAt: number
  /** The connection has used a whole slice of time and waits for a turn of the event loop. */
  private isResting = false
  /** Undefined while no request is unfinished: ten thousand idle connections need none. */
  private frameClock: FrameClock | undefined
  readonly admitted: AdmittedConnection
  private readonly holding: Holding
  /** The number of the current chunk, and the number of its frames that requests still use. */
  private chunk = 0
  private keptFrames = 0

  constructor(
    private readonly server: ServerContext,
    private readonly via: ListenerContext,
    private readonly connection: Connection
  ) {
    this.framer = new Framer(server.requestBytesMax)
    this.unread = new Unread(server.answers)
    this.session = new Session(connection, via.name, this.unread)
    this.admitted = server.admission.enter(connection, this.session, (reason) => this.refuse("too many", reason))
    this.holding = new Holding(server.memory, this.admitted, this)
    this.activeAt = server.seconds
  }

  get partialBytes(): number {
    return this.framer.heldBytes
  }
  get partialSeconds(): number {
    return this.frameClock?.seconds(this.framer, this.server.seconds) ?? 0
  }
  get requestBytes(): number {
    return this.holding.bytes
  }
  get oldestWait(): Pick<Slot, "held" | "since"> | undefined {
    return this.slots.oldestWait
  }
  get unreadBytes(): number {
    return this.unread.heldBytes
  }
  get isStalled(): boolean {
    return this.unread.isStalled(this.server.seconds)
  }

  received(bytes: Uint8Array): void {
    if (this.ended) return
    this.activeAt = this.server.seconds
    this.server.counts.bytesIn += bytes.length
    this.admitted.begun()
    this.framer.push(bytes)
    this.chunk++
    this.keptFrames = 0
    this.pump()
    if (this.keptFrames === 0 && !this.framer.holdsChunks && !this.ended) this.connection.release(bytes)
    if (this.server.memory.isFull) this.server.relieve()
  }
  drained(): void {
    this.unread.clear()
    this.activeAt = this.server.seconds
    this.pump()
  }
  closed(): void {
    if (!this.ended) this.whenDone?.()
    this.ended = true
    this.session.close()
    this.admitted.leave()
    this.unread.clear()
    this.letGo()
    abandon(this.server, this.slots)
    this.server.forget(this)
  }

  stop(whenDone: () => void): void {
    if (this.ended) return whenDone()
    this.whenDone = whenDone
    this.connection.pause()
    this.pump()
  }
  end(): void {
    if (this.ended) return
    this.ended = true
    this.whenDone?.()
    this.letGo()
    this.endedAt = this.server.seconds
    abandon(this.server, this.slots)
    this.connection.end()
  }

  sweep(idleSeconds: number): void {
    const now = this.server.seconds
    if (this.ended) {
      if (now - this.endedAt >= lingerSeconds) this.connection.destroy()
      return
    }
    if (this.admitted.turn()) return
    // The transport reports only when the client has read everything: a write of nothing tells how many bytes wait.
    this.unread.look(this.connection.write(nothing), now)
    const slow = this.framer.announced === 0 ? undefined : (this.frameClock ??= new FrameClock()).look(this.framer, this.paused, now)
    if (slow !== undefined) return this.refuse("slow", slow)
    if (this.slots.count === 0 && now - this.activeAt >= idleSeconds) this.end()
  }

  giveUp(): void {
    this.refuse("unread", this.server.answers.surplus(this.unreadBytes))
    this.unread.clear()
    this.connection.destroy()
  }

  relieve(): void {
    this.refuse("memory", this.holding.surplus(this.partialBytes))
  }
  hurry(): void {
    const called = this.slots.callOff()
    if (called !== undefined) queueMicrotask(() => this.made(...called))
  }

  private letGo(): void {
    this.framer.clear()
    this.holding.end()
  }

  private get mayTake(): boolean {
    const { inFlightRequestsMax, inFlightBytesMax, writeBufferBytesMax } = this.server
    return (
      !this.ended &&
      this.whenDone === undefined &&
      this.slots.count < inFlightRequestsMax &&
      (this.slots.count === 0 || this.slots.size < inFlightBytesMax) &&
      this.unread.size <= writeBufferBytesMax
    )
  }

  /** Called when memory is free again. */
  wake(): void {
    this.pump()
  }
  private rest(): void {
    this.isResting = true
    this.server.turns.afterLoopTurn(() => {
      this.isResting = false
      this.pump()
    })
  }

  /** Takes requests, starts them and sends responses until none of these is possible. */
  private pump(): void {
    // A handler that responds at once calls this again while its request is being started.
    if (this.pumping || this.isResting) return
    this.pumping = true
    let sinceNs = 0n
    for (let steps = 1; ; steps++) {
      if ((steps & (stepsPerLook - 1)) === 0) {
        // Thousands of small requests that one client pipelines must not block the thread either.
        const now = this.server.turns.nowNs()
        if (steps === stepsPerLook) sinceNs = now
        else if (now - sinceNs >= sliceNs) {
          this.rest()
          break
        }
      }
      if (!this.settle() && !this.takeOne()) break
    }
    this.pumping = false
    if (this.ended) return
    this.holding.count(this.framer.heldBytes + this.slots.heldBytes)
    if (this.whenDone !== undefined) {
      if (this.slots.count === 0) this.end()
      return
    }
    const pause = !(this.mayTake && this.holding.mayRead(this.framer.announced))
    if (pause === this.paused) return
    this.paused = pause
    if (pause) this.connection.pause()
    else this.connection.resume()
  }

  /** Starts the next request and sends the next response, where they may. Returns whether it did either. */
  private settle(): boolean {
    if (this.slots.count === 0 || this.ended) return false
    const started = this.slots.start()
    if (started !== undefined) this.run(started)
    const leaving = this.ended ? undefined : this.slots.leave()
    if (leaving === undefined) return started !== undefined
    if (leaving.chunks !== undefined) this.unread.wrote(leaving.chunks, send(this.connection, leaving.chunks, this.server.counts))
    if (leaving.ends) this.end()
    return true
  }

  private takeOne(): boolean {
    if (!this.mayTake) return false
    const frame = this.framer.next()
    if (frame === undefined) {
      const tooLong = this.holding.refusalOf(this.framer.announced)
      if (tooLong !== undefined) this.refuse("memory", tooLong)
      else if (this.holding.beginsLong(this.framer.announced)) this.connection.receiveInPieces?.()
      return false
    }
    if (isFrame(frame)) {
      this.take(frame)
    } else {
      const { kind, message } = describeFrameFault(frame)
      this.refuse(kind, message)
    }
    return true
  }

  private take(frame: Uint8Array): void {
    const found = this.via.table.find(frame)
    if ("message" in found) return this.refuse(found.kind, found.message)
    if (this.admitted.isUndecided && "header" in found && this.admitted.refuses(found.header.apiKey)) return
    const chunk = this.framer.ownsMemory ? undefined : this.chunk
    if (chunk !== undefined) this.keptFrames++
    this.slots.add(slotOf(found, this.session, frame, chunk))
    if (this.slots.yields) this.hurry()
  }
  /** Releases the frame: the handler does not need it, though the response may still be due. */
  private letGoOf({ chunk, context }: Slot): void {
    if (chunk === this.chunk) this.keptFrames--
    if (context === undefined) return
    if (chunk === undefined) {
      this.connection.release(context.frame)
      free(context.frame)
    }
    // A chunk that its transport cannot free is left to the garbage collector.
    context.releaseFrame()
  }

  private run(slot: Slot): void {
    const { route, context } = slot
    if (route === undefined || context === undefined) return this.slots.done(slot)
    if (route.mayAnswer?.() === false) return this.answerNoMore(slot, context)
    if (!route.admits(context.session)) return this.forbid(slot, route, context)
    let begun: Either.Either<Started, DecodeError>
    slot.elementsMax = this.holding.elementsMax(slot.size)
    try {
      begun = route.start(context, slot.bodyAt, slot.elementsMax)
    } catch (cause) {
      return this.failed(slot, cause)
    }
    if (Either.isLeft(begun)) return this.unreadable(slot, begun.left)
    if (begun.right.answer instanceof Sliced) return this.work(slot, begun.right.answer, begun.right)
    this.read(slot, begun.right)
    this.begun(slot, begun.right.answer)
  }
  private forbid(slot: Slot, { api, refusal }: Route, { actor, version }: RequestContext): void {
    this.server.connectionLog.forbidden(actor, `sent ${api.name}, which this connection may not send: no broker has registered on it`)
    this.answer(slot, refusal(version))
  }
  /** Called when the request is decoded and its handler has it. */
  private read(slot: Slot, { memoryBytes }: Started): void {
    const borrows = slot.route?.borrows === true
    if (borrows) this.letGoOf(slot)
    else this.server.memory.keepsFrame(slot.size)
    this.slots.keep(slot, (borrows ? placeBytes : slot.held) + memoryBytes)
  }

  /** Sends the handler's response, or waits for it. */
  private begun(slot: Slot, answer: unknown): void {
    if (slot.ticket !== undefined) leavesToWait(this.server, slot)
    if (answer instanceof Later) return this.wait(slot, answer)
    if (!Effect.isEffect(answer)) return this.answer(slot, answer)
    if (Exit.isExit(answer) && Exit.isSuccess(answer)) return this.answer(slot, answer.value)
    const fiber = Runtime.runFork(this.server.runtime)(Effect.interruptible(answer as Effect.Effect<unknown>))
    slot.stop = () => fiber.unsafeInterruptAsFork(FiberId.none)
    fiber.addObserver((exit) => {
      if (this.ended) return
      if (Exit.isSuccess(exit)) this.answer(slot, exit.value)
      else this.failed(slot, Cause.squash(exit.cause))
      this.pump()
    })
  }

  /** Makes and encodes a response in slices. Where it decodes the request (`started`) first, no later request of this connection may start before that. */
  private work(slot: Slot, answer: unknown, started?: Started): void {
    const { route, context } = slot
    if (route === undefined || context === undefined) return
    let returned = false
    if (started !== undefined) this.slots.hold()
    slot.ticket ??= new Ticket(started?.isLarge === true && slot.size > smallRequestBytes, this.admitted.isLink)
    const steps = route.finish(context, answer)
    const stop = this.server.turns.run(steps, slot.ticket, (outcome) => {
      if (this.ended) return
      slot.stop = undefined
      if (started !== undefined) {
        this.slots.release()
        this.read(slot, started)
      }
      if ("cause" in outcome) this.failed(slot, outcome.cause)
      else this.begun(slot, outcome.value)
      if (returned) this.pump()
    })
    returned = true
    if (slot.state === "running" && slot.stop === undefined) slot.stop = stop
  }

  private unreadable({ context, elementsMax, route }: Slot, fault: DecodeError): void {
    const shortage = this.holding.shortageOf(fault, elementsMax, route?.elementsMax ?? 0)
    if (shortage !== undefined) return this.refuse("memory", shortage)
    this.refuse(fault.kind, malformedMessage(`${route?.api.name} version ${context?.version}`, fault))
  }

  /** Makes the response at the end of the turn, so that it has all records that were appended in this turn. */
  private wait(slot: Slot, later: Later<unknown>): void {
    slot.since = this.server.seconds
    if (this.slots.wait(slot, later, (make) => queueMicrotask(() => this.made(slot, make)))) this.hurry()
  }
  private made(slot: Slot, make: () => unknown): void {
    if (this.ended) return
    slot.stop = undefined
    try {
      const answer = make()
      if (answer instanceof Later) this.wait(slot, answer)
      else this.answer(slot, answer)
    } catch (cause) {
      this.failed(slot, cause)
    }
    this.pump()
  }

  private answer(slot: Slot, answer: unknown): void {
    const { route, context } = slot
    if (route === undefined || context === undefined) return
    if (route.mayAnswer?.() === false) return this.answerNoMore(slot, context)
    if (answer instanceof Disconnect) {
      slot.ends = true
      this.server.connectionLog.closed("refused", context.actor, `sent a request that failed and expects no response: ${answer.reason}`)
    } else if (answer instanceof Unreadable) {
      return this.unreadable(slot, answer.error)
    } else if (answer instanceof Encoded) {
      slot.chunks = answer.chunks
    } else if (answer instanceof Sliced || (slot.ticket !== undefined && !(answer instanceof NoResponse))) {
      return this.work(slot, answer)
    } else if (!(answer instanceof NoResponse)) {
      try {
        slot.chunks = responseTo(context, route.encode(context, answer))
      } catch (cause) {
        return this.failed(slot, cause)
      }
    }
    this.slots.done(slot)
    finished(this.server, this.slots, slot, answer)
  }

  /** This node does not have the role any more in which it would answer: its client has to find the node that has it. */
  private answerNoMore(slot: Slot, { actor }: RequestContext): void {
    slot.ends = true
    this.server.connectionLog.closed("role", actor, "asked a node that does not lead any more")
    this.slots.done(slot)
    finished(this.server, this.slots, slot, undefined)
  }
  /** Closes the connection after a bug in a handler: the node must not fail with it, and the client must not wait for ever. */
  private failed(slot: Slot, cause: unknown): void {
    const { route, context } = slot
    this.server.connectionLog.defect(context?.actor ?? this.session.address, `the handler of ${route?.api.name} version ${context?.version} failed`, cause)
    this.end()
  }
  private refuse(kind: string, message: string): void {
    this.server.connectionLog.closed(kind, this.session.address, message)
    this.end()
  }
}
