import { type Clock, Deferred, Effect, Fiber, Queue, type Scope } from "effect"

/** The requests of a link that are under way at most. */
export const fetchesMax = 2
/** A sync that takes less, ms, is awaited before the next fetch: that names the log as well, and no record waits long for it. */
const quickSyncMs = 1
/** How long the rounds wait where there is nothing to fetch, ms: nothing tells them of a replica that came, or of a pause that ended. */
const idleMs = 50
/** The share of the last sync in the average of how long syncs take. */
const shareOfLast = 0.25
const nanosPerMs = 1e6

/** What the next request is sent for. */
export interface NextRequest {
  /** Whether another request is under way: it waits at the leader, and this one ends the wait. */
  readonly isSecond: boolean
  /** Whether logs are being synced. */
  readonly isSyncing: boolean
  /** The number of the request, from 1 on. */
  readonly number: number
}

interface RoundsParts<Request, Response, E> {
  readonly clock: Clock.Clock
  /** Fails where the link is of no use any more. */
  readonly isCurrent: Effect.Effect<void, E>
  /** Returns the request to send now; undefined: there is nothing to fetch. */
  readonly next: (next: NextRequest) => Request | undefined
  readonly call: (request: Request) => Effect.Effect<Response, E>
  /**
   * Applies the response to the request of this number. Returns the syncs of the logs that grew; `isLatest`: no later request is under way. It is called in
   * the order of the requests, one after the other, and is not interrupted.
   */
  readonly take: (response: Response, number: number, isLatest: () => boolean) => Effect.Effect<ReadonlyArray<Effect.Effect<void>>, E>
  /** Whether the leader ends the wait of a request when the next one comes, and that is worth it. Otherwise all logs are synced before that. */
  readonly mayOverlap: () => boolean
}

/**
 * Sends fetches over one link and takes their responses, until either fails. A request is sent when the one before is answered and applied. While the logs
 * that grew are synced, the next one waits at the leader for records of the other partitions; when a log is synced, a further one names its new end, and ends
 * that wait. So no record waits for the sync of another log. Where syncs are quick, they are awaited instead, with one request for all of them.
 */
export class Rounds<Request, Response, E> {
  private underWay = 0
  private syncing = 0
  private sent = 0
  /** How long a sync takes, on average, ms. */
  private syncMs = 0
  private readonly wakes = Effect.runSync(Queue.sliding<void>(1))
  private readonly answers = Effect.runSync(Queue.unbounded<{ readonly number: number; readonly answer: Fiber.Fiber<Response, E> }>())

  constructor(private readonly parts: RoundsParts<Request, Response, E>) {}

  get run(): Effect.Effect<never, E> {
    return Effect.scoped(
      Effect.gen(this, function* () {
        const scope = yield* Effect.scope
        const failure = yield* Deferred.make<never, E>()
        const send = Effect.forever(Effect.zipRight(this.parts.isCurrent, this.send(scope)))
        const take = Effect.forever(Effect.flatMap(Queue.take(this.answers), ({ answer, number }) => this.take(answer, number, scope, failure)))
        return yield* Effect.raceFirst(Effect.raceFirst(send, take), Deferred.await(failure))
      })
    )
  }

  /** Sends the next request, or waits for what it waits for. */
  private send(scope: Scope.Scope): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const isSecond = this.underWay > 0
      const isSyncing = this.syncing > 0
      if (this.underWay >= fetchesMax || (isSecond && !this.parts.mayOverlap()) || (isSyncing && this.syncMs < quickSyncMs)) return Queue.take(this.wakes)
      const number = this.sent + 1
      const request = this.parts.next({ isSecond, isSyncing, number })
      if (request === undefined) return isSecond || isSyncing ? Queue.take(this.wakes) : Effect.timeoutOption(Queue.take(this.wakes), idleMs)
      this.sent = number
      this.underWay++
      const called = Effect.forkIn(this.parts.call(request), scope)
      // Until then nothing is due that was not due for this request.
      return Effect.flatMap(called, (answer) => Effect.zipRight(Queue.offer(this.answers, { number, answer }), Queue.take(this.wakes)))
    })
  }

  private take(answer: Fiber.Fiber<Response, E>, number: number, scope: Scope.Scope, failure: Deferred.Deferred<never, E>): Effect.Effect<unknown, E> {
    const taken = (response: Response) =>
      Effect.flatMap(
        this.parts.take(response, number, () => this.sent === number),
        (syncs) => {
          const all = Effect.forEach(syncs, (sync) => this.timed(sync), { concurrency: "unbounded", discard: true })
          this.syncing += syncs.length
          const synced = syncs.length === 0 ? Effect.void : this.parts.mayOverlap() ? this.beside(all, scope, failure) : all
          return Effect.map(synced, () => {
            this.underWay--
            this.wake()
          })
        }
      )
    // A log that has grown is synced, whatever becomes of the link: its follower does not fetch before.
    return Effect.flatMap(Fiber.join(answer), (response) => Effect.uninterruptible(taken(response)))
  }

  /** The syncs run beside the rounds, and end with them. A bug in them ends the rounds. */
  private beside(syncs: Effect.Effect<void>, scope: Scope.Scope, failure: Deferred.Deferred<never, E>): Effect.Effect<unknown> {
    const work = Effect.catchAllCause(syncs, (cause) => Deferred.failCause(failure, cause))
    return Effect.forkIn(Effect.uninterruptible(work), scope)
  }

  private timed(sync: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fromMs = this.nowMs()
      return Effect.map(sync, () => {
        this.syncMs += (this.nowMs() - fromMs - this.syncMs) * shareOfLast
        this.syncing--
        this.wake()
      })
    })
  }

  private wake(): void {
    this.wakes.unsafeOffer(undefined)
  }
  private nowMs(): number {
    return Number(this.parts.clock.unsafeCurrentTimeNanos()) / nanosPerMs
  }
}
