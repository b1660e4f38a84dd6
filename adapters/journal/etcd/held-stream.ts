import { Clock, Deferred, Effect, Either, Exit } from "effect"
import type { Epoch } from "../../../domain/kernel/id.ts"
import { encodeEntries } from "../../../src/ports/entry-record.ts"
import { Conflict, type Entry, Fenced, LeaseOver, NotWritten, Unknown } from "../../../src/ports/journal.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import type { Compare, EtcdFault, Operation, Txn, TxnResult } from "./client.ts"
import { type StoredAppend, sameBytes, storedAppend } from "./entry-value.ts"
import { type FollowedStream, observed, steadyMs } from "./followed-stream.ts"

/** The pause between two attempts to settle an append. */
const settleAgainMs = 100

const utf8 = new TextEncoder()

/** How a candidate won. */
export interface Win {
  readonly epoch: Epoch
  readonly lease: string
  /** The revision of the leader's key: the fence. A put over the key changes it, also one that keeps its create revision. */
  readonly leaderRevision: number
  readonly head: number
  readonly headRevision: number
  /** When the grant of the lease was sent, by the steady clock. */
  readonly grantedAtMs: number
}

type Refused = Fenced | Conflict | NotWritten | Unknown | LeaseOver
/** The append is settled: it did not happen, and never will. */
type Settled = "not done"

/** A stream that this process leads. All its writes are guarded by the revision of its leader's key. */
export class HeldStream {
  readonly epoch: Epoch
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private head: number
  private headRevision: number
  private leaseEndMs: number
  private loss: Fenced | LeaseOver | LogFault | undefined

  constructor(
    private readonly followed: FollowedStream,
    private readonly win: Win,
    private readonly leaseMs: number,
    private readonly over: Deferred.Deferred<never, Fenced | LeaseOver | LogFault>,
    private readonly clock: Clock.Clock
  ) {
    this.epoch = win.epoch
    this.head = win.head
    this.headRevision = win.headRevision
    this.leaseEndMs = win.grantedAtMs + leaseMs
  }

  get lost(): Effect.Effect<never, Fenced | LeaseOver | LogFault> {
    return Deferred.await(this.over)
  }
  get end(): number {
    return this.head
  }
  /** The condition of every write of this leader. */
  get guard(): Compare {
    return { key: this.followed.parts.keys.leader, modRevision: this.win.leaderRevision }
  }

  /** Renews the lease, and stops the leader when it is over or another leads. Ends then. */
  readonly keep: Effect.Effect<void> = Effect.suspend(() => {
    const { client } = this.followed.parts
    const attempt = Effect.gen(this, function* () {
      const sentAtMs = yield* steadyMs
      const renewed = yield* Effect.either(Effect.timeout(client.renew(this.win.lease), this.leaseMs / 3))
      if (Either.isLeft(renewed)) return yield* Effect.logDebug(`${this.stream}: the lease was not renewed: ${renewed.left.message}`)
      if (renewed.right) this.leaseEndMs = Math.max(this.leaseEndMs, sentAtMs + this.leaseMs)
      else this.lose(this.leaseOver("etcd has ended it"))
    })
    // An attempt that a member of etcd without a leader has may be answered too late, where a later one is answered at once: an election there takes half of the lease.
    const renew = Effect.gen(this, function* () {
      const early = this.leaseEndMs - (this.leaseMs * 2) / 3 - (yield* steadyMs)
      if (early > 0) return yield* Effect.sleep(early)
      yield* Effect.fork(attempt)
      yield* Effect.sleep(this.leaseMs / 12)
    })
    const expire = Effect.gen(this, function* () {
      const left = this.leaseEndMs - (yield* steadyMs)
      if (left > 0) return yield* Effect.sleep(left)
      this.lose(this.leaseOver(`it was not renewed for ${this.leaseMs} ms`))
      return yield* Effect.never
    })
    const watch = Effect.gen(this, function* () {
      yield* this.followed.readers.until(() => this.successor() !== undefined || this.followed.fault !== undefined)
      this.lose(this.followed.fault ?? this.successor() ?? this.leaseOver("another candidate leads"))
    })
    return Effect.raceFirst(
      Effect.all([Effect.forever(renew), Effect.forever(expire), watch], { concurrency: "unbounded", discard: true }),
      Effect.ignore(this.lost)
    )
  })

  readonly append = (epoch: Epoch, expected: number, entries: ReadonlyArray<Entry>): Effect.Effect<void, Refused> => {
    if (epoch !== this.epoch) return Effect.fail(new Fenced({ stream: this.stream, epoch, newerEpoch: this.epoch }))
    return this.turn.withPermits(1)(
      Effect.gen(this, function* () {
        const lost = this.lostBy
        if (lost !== undefined) return yield* Effect.fail(lost._tag === "LogFault" ? new Unknown({ stream: this.stream, cause: lost }) : lost)
        if (expected !== this.head) return yield* new Conflict({ stream: this.stream, expected, end: this.head })
        if (entries.length === 0) return
        const now = yield* Clock.currentTimeMillis
        const batch = encodeEntries(entries, expected, epoch, now, this.followed.parts.crc32c)
        yield* this.write(storedAppend(batch, epoch), expected + entries.length)
        const copied = this.followed.appended(batch)
        if (Either.isLeft(copied)) this.lose(copied.left)
      })
    )
  }

  /** Runs writes that are no appends, guarded by the leadership alone. */
  readonly guarded = (then: ReadonlyArray<Operation>): Effect.Effect<void, EtcdFault | Fenced> =>
    Effect.flatMap(this.followed.parts.client.txn({ compares: [this.guard], then }), ({ succeeded }) =>
      succeeded ? Effect.void : Effect.fail(this.fencedNow())
    )

  /** Writes an append, and again after each attempt that is settled as not done, until the lease is over. */
  private write(append: StoredAppend, end: number): Effect.Effect<void, Refused> {
    return Effect.gen(this, function* () {
      for (;;) {
        const done = yield* this.attempt(append, end)
        if (done !== "not done") return
      }
    })
  }

  /** One attempt. It is never sent again by itself: an unknown result is settled first. */
  private attempt(append: StoredAppend, end: number): Effect.Effect<void | Settled, Refused> {
    const { client, keys } = this.followed.parts
    const index = this.head
    const compares = [this.guard, { key: keys.head, modRevision: this.headRevision }]
    const otherwise = this.lookup(index)
    const writes: ReadonlyArray<Txn> = [
      // The parts come first. They are none of the stream's before the head moves past them.
      ...append.parts.map((value, part) => ({ compares, then: [{ put: keys.part(index, this.epoch, part), value }], otherwise })),
      {
        compares,
        then: [
          { put: keys.entry(index), value: append.value },
          { put: keys.head, value: utf8.encode(String(end)) }
        ],
        otherwise
      }
    ]
    return Effect.gen(this, function* () {
      let result: TxnResult | undefined
      for (const write of writes) {
        const sent = yield* Effect.either(client.txn(write))
        if (Either.isLeft(sent)) return yield* this.unsuccessful(sent.left, append, index, end)
        result = sent.right
        // The transport may have sent a request twice by itself: what failed may be the second of them.
        if (!result.succeeded) return yield* this.decided(result, append, index, end)
      }
      if (result !== undefined) this.moved(end, result.revision)
    })
  }

  private unsuccessful(fault: EtcdFault, append: StoredAppend, index: number, end: number): Effect.Effect<void | Settled, Refused> {
    if (fault.kind === "unknown") return this.settle(fault, append, index, end)
    const reason = fault.kind === "full" ? "full" : "io"
    const cause = new LogFault({ path: this.stream, reason, message: fault.message, cause: fault })
    const refused = Effect.fail(new NotWritten({ stream: this.stream, cause }))
    if (fault.kind !== "full") return refused
    // etcd does the transaction by which its store grows past the quota, and answers it as one that it refused. After an answer a read tells which it was.
    return Effect.gen(this, function* () {
      const seen = yield* this.answer({ compares: [], then: this.lookup(index) }, fault)
      if ((yield* this.decided(seen, append, index, end)) === "not done") return yield* refused
    })
  }

  /** Asks until there is an answer. Where the lease is over first, the result of the append stays unknown. */
  private answer(txn: Txn, first: EtcdFault): Effect.Effect<TxnResult, Refused> {
    return Effect.gen(this, function* () {
      for (;;) {
        const lost = this.lostBy
        if (lost !== undefined) return yield* new Unknown({ stream: this.stream, cause: lost._tag === "LogFault" ? first.message : lost })
        const answered = yield* Effect.either(this.followed.parts.client.txn(txn))
        if (Either.isRight(answered)) return answered.right
        yield* Effect.sleep(settleAgainMs)
      }
    })
  }

  /**
   * Settles an append whose result is unknown by a write: a put of the head as it is, where it has not moved. Where that succeeds, the revision
   * that the append asks for is gone, so that it cannot happen any more, however late it arrives. A read could not tell that.
   */
  private settle(first: EtcdFault, append: StoredAppend, index: number, end: number): Effect.Effect<void | Settled, Refused> {
    const { keys } = this.followed.parts
    return Effect.gen(this, function* () {
      const compares = [this.guard, { key: keys.head, modRevision: this.headRevision }]
      const then = [{ put: keys.head, value: utf8.encode(String(index)) }]
      const settled = yield* this.answer({ compares, then, otherwise: this.lookup(index) }, first)
      if (!settled.succeeded) return yield* this.decided(settled, append, index, end)
      this.headRevision = settled.revision
      return "not done" as const
    })
  }

  /** What a failed condition reads: the state of the stream, and the append at the index in question. */
  private lookup(index: number): ReadonlyArray<Operation> {
    const { keys } = this.followed.parts
    return [{ range: keys.state }, { range: { key: keys.entry(index) } }]
  }

  /** Tells from what a failed condition read whether the append is in the stream, and why the condition failed. */
  private decided({ ranges, revision }: TxnResult, append: StoredAppend, index: number, end: number): Effect.Effect<void | Settled, Refused> {
    const { keys } = this.followed.parts
    const [state = [], [entry] = []] = ranges
    const seen = observed(keys, state, revision)
    if (entry !== undefined && sameBytes(entry.value, append.value)) return Effect.sync(() => this.moved(end, seen.head.modRevision))
    if (seen.leader?.modRevision !== this.win.leaderRevision) {
      const loss = seen.leader === undefined && seen.epoch.value === this.epoch ? this.leaseOver("etcd has ended it") : this.fencedNow(seen.epoch.value)
      return Effect.zipRight(
        Effect.sync(() => this.lose(loss)),
        Effect.fail(loss)
      )
    }
    if (seen.head.value !== index) return Effect.fail(new Conflict({ stream: this.stream, expected: index, end: seen.head.value }))
    // An earlier attempt to settle was done, and its result was lost.
    return Effect.sync(() => {
      this.headRevision = seen.head.modRevision
      return "not done" as const
    })
  }

  private moved(end: number, revision: number): void {
    this.head = end
    this.headRevision = revision
  }

  /** Why this process does not lead any more; undefined while it does. The clock tells it before any timer does. */
  get lostBy(): Fenced | LeaseOver | LogFault | undefined {
    if (this.loss === undefined && this.nowMs >= this.leaseEndMs) this.lose(this.leaseOver(`it was not renewed for ${this.leaseMs} ms`))
    return this.loss
  }
  readonly isHeld = (): boolean => this.lostBy === undefined

  private get nowMs(): number {
    return Number(this.clock.unsafeCurrentTimeNanos() / 1_000_000n)
  }

  /** Ends the leadership in this process. The first cause stays. */
  lose(loss: Fenced | LeaseOver | LogFault): void {
    this.loss ??= loss
    Deferred.unsafeDone(this.over, Exit.fail(this.loss))
  }

  /** This process gives the leadership up: it is no leader from now on, whatever etcd has. */
  giveUp(): void {
    this.lose(this.leaseOver("this node gives it up"))
  }

  private get stream(): string {
    return this.followed.parts.stream
  }
  /** The loss where the newest state that was read names another leader or none. */
  private successor(): Fenced | LeaseOver | undefined {
    const { latest } = this.followed
    if (latest === undefined || latest.revision < this.win.leaderRevision || latest.leader?.modRevision === this.win.leaderRevision) return undefined
    return latest.epoch.value > this.epoch ? this.fencedNow(latest.epoch.value) : this.leaseOver("etcd has ended it")
  }
  private fencedNow(newerEpoch = this.epoch + 1): Fenced {
    return new Fenced({ stream: this.stream, epoch: this.epoch, newerEpoch })
  }
  private leaseOver(reason: string): LeaseOver {
    return new LeaseOver({ stream: this.stream, epoch: this.epoch, message: `the lease of this leader is over: ${reason}` })
  }
}
