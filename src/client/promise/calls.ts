import { Cause, Effect, Exit, type Fiber, FiberId, Option, Runtime, Scope } from "effect"
import { shown } from "../argument/guard.ts"
import { Closed, InvalidArgument, NotSubscribed } from "../error.ts"
import { defectOf, reportDefect } from "../runtime/supervision.ts"

export interface CallOptions {
  /** Its abort ends the call, which rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/** The error that a call rejects with: the error of the library itself, which is an `Error` with a `_tag`. */
const errorOf = (cause: Cause.Cause<unknown>, interrupted: () => unknown, defect: (defect: unknown) => unknown): unknown => {
  const failed = Cause.failureOption(cause)
  if (Option.isSome(failed)) return failed.value
  return Cause.isInterruptedOnly(cause) ? interrupted() : defect(Cause.squash(cause))
}

/**
 * Runs the effects of one producer, consumer or admin as promises, until its scope closes. A call rejects with the
 * library's error, with `signal.reason` after an abort, and with Closed after `close`.
 */
export class Calls {
  private readonly running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  private readonly loops = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  private closing: Promise<void> | undefined
  private isClosed = false

  constructor(
    private readonly what: string,
    private readonly runtime: Runtime.Runtime<never>,
    private readonly scope: Scope.CloseableScope
  ) {}

  /** Whether `close` was called. */
  get isClosing(): boolean {
    return this.closing !== undefined
  }

  private start<A>(
    effect: Effect.Effect<A, unknown>,
    signal: AbortSignal | undefined,
    onExit: (exit: Exit.Exit<A, unknown>) => void
  ): Fiber.RuntimeFiber<A, unknown> {
    const fiber = Runtime.runFork(this.runtime)(effect)
    const abort = () => fiber.unsafeInterruptAsFork(FiberId.none)
    signal?.addEventListener("abort", abort, { once: true })
    this.running.add(fiber)
    fiber.addObserver((exit) => {
      signal?.removeEventListener("abort", abort)
      this.running.delete(fiber)
      this.loops.delete(fiber)
      onExit(exit)
    })
    return fiber
  }
  private closedError(): Closed {
    return new Closed({ what: this.what })
  }
  private rejection(cause: Cause.Cause<unknown>, signal: AbortSignal | undefined): unknown {
    const error = errorOf(
      cause,
      () => (signal?.aborted ? signal.reason : this.closedError()),
      (defect) => {
        Runtime.runFork(this.runtime)(reportDefect(this.what, defect))
        return defectOf(this.what, defect)
      }
    )
    // A consumer that closes has left its group before its calls end.
    return this.isClosing && error instanceof NotSubscribed ? this.closedError() : error
  }

  /** Runs an effect. The abort of the signal interrupts it. */
  call<A>(effect: Effect.Effect<A, unknown>, signal?: AbortSignal): Promise<A> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      if (this.isClosed) return reject(this.closedError())
      this.start(effect, signal, (exit) => (Exit.isSuccess(exit) ? resolve(exit.value) : reject(this.rejection(exit.cause, signal))))
    })
  }

  /** Makes a promise of plain code, which the service itself settles: after `close` at the latest. */
  settled<A>(start: (resolve: (value: A) => void, reject: (error: unknown) => void) => void): Promise<A> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(this.closedError())
      try {
        start(resolve, reject)
      } catch (defect) {
        reject(this.rejection(Cause.die(defect), undefined))
      }
    })
  }

  /**
   * Runs an effect that ends by a failure or a stop. The abort of the signal, and `close`, stop it: the promise then
   * resolves when it has ended. Its failure reaches the log too, and is no unhandled rejection where the caller does
   * not wait for it.
   */
  loop(part: string, effect: Effect.Effect<unknown, unknown>, signal?: AbortSignal): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      if (signal?.aborted) return resolve()
      if (this.isClosing) return reject(this.closedError())
      const fiber = this.start(effect, signal, (exit) => {
        if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return resolve()
        const error = this.rejection(exit.cause, signal)
        Runtime.runFork(this.runtime)(Effect.logError(`The ${part} of the ${this.what} ended by a failure`, Cause.fail(error)))
        reject(error)
      })
      this.loops.add(fiber)
    })
    promise.catch(() => {})
    return promise
  }

  /** Runs in the background until `close`, or until the function that it returns is called. */
  background(effect: Effect.Effect<unknown, unknown>, onEnd: () => void): () => void {
    if (this.isClosed) {
      onEnd()
      return () => {}
    }
    const fiber = this.start(effect, undefined, onEnd)
    return () => fiber.unsafeInterruptAsFork(FiberId.none)
  }

  /** Stops what runs, closes the scope, and rejects the calls that are left with Closed. Calls after the first wait for it. */
  close(exit: Exit.Exit<unknown, unknown> = Exit.void): Promise<void> {
    this.closing ??= this.end(exit)
    return this.closing
  }
  private async end(exit: Exit.Exit<unknown, unknown>): Promise<void> {
    // The handlers of `run` end and commit while the consumer is still a member.
    await this.interrupted(this.loops)
    this.isClosed = true
    await this.ended(Runtime.runFork(this.runtime)(Scope.close(this.scope, exit)))
    await this.interrupted(this.running)
  }
  private async interrupted(fibers: ReadonlySet<Fiber.RuntimeFiber<unknown, unknown>>): Promise<void> {
    const all = [...fibers]
    for (const fiber of all) fiber.unsafeInterruptAsFork(FiberId.none)
    await Promise.all(all.map((fiber) => this.ended(fiber)))
  }
  private ended(fiber: Fiber.RuntimeFiber<unknown, unknown>): Promise<void> {
    return new Promise((resolve) => fiber.addObserver(() => resolve()))
  }
}

/** Throws InvalidArgument for what is no signal. */
export const checkedSignal = (call: string, signal: AbortSignal): AbortSignal => {
  const given: { readonly addEventListener?: unknown; readonly aborted?: unknown } = signal ?? {}
  if (typeof given.addEventListener === "function" && typeof given.aborted === "boolean") return signal
  throw new InvalidArgument({ call, field: "signal", given: shown(signal), allowed: "an AbortSignal" })
}

/** Runs an effect that needs no client. */
export const callOnce = async <A>(what: string, effect: Effect.Effect<A, unknown>, call: CallOptions = {}): Promise<A> => {
  const signal = call.signal === undefined ? undefined : checkedSignal(what, call.signal)
  return new Calls(what, Runtime.defaultRuntime, Effect.runSync(Scope.make())).call(effect, signal)
}
