import { Effect, Fiber, Queue, Stream } from "effect"
import {
  type Compare,
  type EtcdClient,
  EtcdFault,
  type EtcdStatus,
  type KeyRange,
  type KeyValue,
  type Operation,
  type RangeRequest,
  type Txn,
  type TxnResult
} from "./client.ts"

/**
 * What happens to a write on its way. "lost": it never arrives. "unanswered": it is done, and the answer is lost. "late": it is
 * done `lateMs` later, when its sender does not wait any more. "twice": it arrives twice, and the answer is that to the second. "full": the store
 * takes no writes at that moment. "overfull": it is done, fills the store, and is answered as one that was refused.
 */
type WriteFault = "lost" | "unanswered" | "twice" | "late" | "full" | "overfull"

/** Whether a transaction is the one that a fault is for. */
type Which = (txn: Txn) => boolean

interface Lease {
  readonly ttlMs: number
  endsAtMs: number
}
interface Stored {
  value: Uint8Array
  modRevision: number
  readonly createRevision: number
  lease: string | undefined
}
interface Watcher {
  readonly name: string
  readonly range: KeyRange
  readonly queue: Queue.Queue<void>
}

/** A transaction with writes as the store decided it. */
export interface Decided {
  readonly client: string
  readonly txn: Txn
  readonly succeeded: boolean
}

/** How long a client waits for an answer that does not come, ms. */
const patienceMs = 2000

const isIn = (key: string, { end, key: from }: KeyRange): boolean => (end === undefined ? key === from : key >= from && key < end)
const isWrite = ({ otherwise = [], then }: Txn): boolean => [...then, ...otherwise].some((operation) => !("range" in operation))
const copy = (bytes: Uint8Array): Uint8Array => bytes.slice()

/**
 * etcd in memory: one linearizable map with revisions, leases and watches, and the faults that real ones have. It follows
 * Effect's clock, so that hours pass at once in virtual time. Clients of one store are processes of one cluster.
 */
export class SimulatedEtcd {
  private readonly map = new Map<string, Stored>()
  /** All keys in their order. */
  private keys: Array<string> = []
  private revision = 1
  private leases = new Map<string, Lease>()
  private lastLease = 0
  private readonly watchers = new Set<Watcher>()
  private readonly faults: Array<{ readonly which: Which; readonly fault: WriteFault }> = []
  /** Clients that are stopped, as by SIGSTOP or a cut cable: their calls wait. */
  private readonly stopped = new Map<string, Effect.Latch>()
  /** Whether the store takes no writes. */
  isFull = false
  /** Open while there is a majority of members. */
  private readonly quorum = Effect.unsafeMakeLatch(true)
  private isQuorate = true
  /** Whether all leases begin anew: a member that becomes the leader of etcd extends them. */
  private extendsLeases = false
  /** Whether writes that find no majority are kept by a member, and done once there is one again. */
  keepsProposals = false
  /** How often the member of a client was restarted. */
  private readonly restarts = new Map<string, number>()
  /** Whether watches stay silent. */
  isHanging = false
  /** How long a late write is on its way. */
  lateMs = 5000
  /** How long a request or an answer is on its way, ms: asked for each. */
  delayMs: () => number = () => 0
  /** Told of each transaction with writes, once it is decided. */
  observe: ((decided: Decided) => void) | undefined

  /** The next transaction that `which` picks meets the fault. */
  fault(which: Which, fault: WriteFault): void {
    this.faults.push({ which, fault })
  }
  /** Stops a client until `resume`. */
  stop(name: string): void {
    if (!this.stopped.has(name)) this.stopped.set(name, Effect.unsafeMakeLatch(false))
  }
  resume(name: string): void {
    this.stopped.get(name)?.unsafeOpen()
    this.stopped.delete(name)
  }
  get hasQuorum(): boolean {
    return this.isQuorate
  }
  /** Without a majority nothing is decided, and no lease ends. A majority that is there again has another leader. */
  set hasQuorum(there: boolean) {
    if (there && !this.isQuorate) this.extendsLeases = true
    this.isQuorate = there
    if (there) this.quorum.unsafeOpen()
    else this.quorum.unsafeClose()
  }
  /** Ends all leases, as an etcd does that lost its time. */
  readonly revokeAll: Effect.Effect<void> = Effect.sync(() => {
    for (const lease of [...this.leases.keys()]) this.end(lease)
  })
  /** Ends all watches, as etcd does with those whose revision is compacted. */
  readonly cancelWatches: Effect.Effect<void> = Effect.suspend(() => this.endWatches(() => true))
  /** Restarts the member that a client talks to: answers that are due are lost, and its watches end. */
  restartMember(name: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.restarts.set(name, this.restartsOf(name) + 1)
      return this.endWatches((watcher) => watcher.name === name)
    })
  }
  private restartsOf(name: string): number {
    return this.restarts.get(name) ?? 0
  }
  private endWatches(which: (watcher: Watcher) => boolean): Effect.Effect<void> {
    return Effect.forEach([...this.watchers].filter(which), ({ queue }) => Queue.shutdown(queue), { discard: true })
  }
  /** The keys that begin with `prefix`. */
  under(prefix: string): ReadonlyArray<string> {
    return this.keys.filter((key) => key.startsWith(prefix))
  }
  /** Removes a key, or changes its value, as an operator or a restored backup would. */
  overwrite(key: string, value: Uint8Array | undefined): void {
    this.apply([value === undefined ? { remove: { key } } : { put: key, value }])
  }

  client(name: string): EtcdClient {
    const call = <A>(work: Effect.Effect<A, EtcdFault>, writes = false): Effect.Effect<A, EtcdFault> => Effect.suspend(() => this.call(name, work, writes))
    return {
      where: "etcd://simulated",
      txn: (txn) =>
        call(
          Effect.suspend(() => this.txn(name, txn)),
          isWrite(txn)
        ),
      range: (request) => call(Effect.sync(() => this.range(request))),
      grant: (seconds) =>
        call(
          Effect.flatMap(this.now, (now) => {
            if (this.isFull) return Effect.fail(full)
            const lease = String(++this.lastLease)
            this.leases.set(lease, { ttlMs: seconds * 1000, endsAtMs: now + seconds * 1000 })
            return Effect.succeed(lease)
          })
        ),
      renew: (id) =>
        call(
          Effect.map(this.now, (now) => {
            const lease = this.leases.get(id)
            if (lease !== undefined) lease.endsAtMs = now + lease.ttlMs
            return lease !== undefined
          })
        ),
      revoke: (lease) => call(Effect.sync(() => this.end(lease))),
      watch: (range) => this.watch(name, range),
      status: call(
        Effect.sync(
          (): EtcdStatus => ({
            version: "3.4.23",
            storeBytes: 0,
            quotaBytes: undefined,
            revision: this.revision,
            hasLeader: this.hasQuorum,
            isFull: this.isFull
          })
        )
      )
    }
  }

  private readonly now = Effect.map(
    Effect.clockWith((clock) => clock.currentTimeNanos),
    (nanos) => Number(nanos / 1_000_000n)
  )

  private call<A>(name: string, work: Effect.Effect<A, EtcdFault>, writes: boolean): Effect.Effect<A, EtcdFault> {
    return Effect.gen(this, function* () {
      const before = this.restartsOf(name)
      const latch = this.stopped.get(name)
      if (latch !== undefined) yield* latch.await
      yield* this.onTheWay
      if (this.restartsOf(name) !== before) return yield* unknown("the connection was closed")
      if (!this.isQuorate) {
        if (writes && this.keepsProposals) yield* Effect.forkDaemon(Effect.zipRight(this.quorum.await, Effect.ignore(Effect.zipRight(this.expire, work))))
        yield* Effect.sleep(patienceMs)
        return yield* unknown("etcdserver: request timed out")
      }
      yield* this.expire
      const answer = yield* Effect.either(work)
      yield* this.onTheWay
      return yield* this.restartsOf(name) === before ? answer : unknown("the connection was closed")
    })
  }
  private readonly onTheWay = Effect.suspend(() => {
    const ms = this.delayMs()
    return ms > 0 ? Effect.sleep(ms) : Effect.void
  })

  private txn(name: string, txn: Txn): Effect.Effect<TxnResult, EtcdFault> {
    const at = isWrite(txn) ? this.faults.findIndex(({ which }) => which(txn)) : -1
    const fault = at === -1 ? undefined : this.faults.splice(at, 1)[0]?.fault
    const commit = this.commit(name, txn)
    if (fault === undefined) return commit
    const silence = Effect.zipRight(Effect.sleep(patienceMs), unknown("no answer"))
    const late = Effect.sleep(this.lateMs).pipe(Effect.zipRight(this.expire), Effect.zipRight(Effect.ignore(commit)))
    const outcomes: { readonly [Kind in WriteFault]: Effect.Effect<TxnResult, EtcdFault> } = {
      lost: silence,
      unanswered: Effect.zipRight(Effect.ignore(commit), silence),
      twice: Effect.zipRight(Effect.ignore(commit), commit),
      late: Effect.zipRight(Effect.forkDaemon(late), silence),
      full: Effect.fail(full),
      overfull: Effect.zipRight(commit, Effect.fail(full))
    }
    return outcomes[fault]
  }

  private commit(client: string, txn: Txn): Effect.Effect<TxnResult, EtcdFault> {
    return Effect.suspend(() => {
      const { compares, otherwise = [], then } = txn
      const succeeded = compares.every((compare) => this.holds(compare))
      const operations = succeeded ? then : otherwise
      const puts = operations.filter((operation) => "put" in operation)
      if (this.isFull && puts.length > 0) return Effect.fail(full)
      if (puts.some((put) => "lease" in put && put.lease !== undefined && !this.leases.has(put.lease)))
        return Effect.fail(new EtcdFault({ kind: "refused", message: "etcdserver: requested lease not found" }))
      const ranges = this.apply(operations)
      if (isWrite(txn)) this.observe?.({ client, txn, succeeded })
      return Effect.succeed({ succeeded, revision: this.revision, ranges })
    })
  }

  private holds({ key, modRevision }: Compare): boolean {
    return (this.map.get(key)?.modRevision ?? 0) === modRevision
  }

  private apply(operations: ReadonlyArray<Operation>): ReadonlyArray<ReadonlyArray<KeyValue>> {
    const ranges: Array<ReadonlyArray<KeyValue>> = []
    const changed: Array<string> = []
    const revision = this.revision + 1
    for (const operation of operations) {
      if ("range" in operation) ranges.push(this.range(operation.range))
      else if ("put" in operation) {
        const before = this.map.get(operation.put)
        if (before === undefined) this.keys.splice(this.position(operation.put), 0, operation.put)
        this.map.set(operation.put, {
          value: copy(operation.value),
          modRevision: revision,
          createRevision: before?.createRevision ?? revision,
          lease: operation.lease
        })
        changed.push(operation.put)
      } else for (const { key } of this.range({ ...operation.remove, keysOnly: true })) this.remove(key, changed)
    }
    if (changed.length > 0) this.revision = revision
    this.tell(changed)
    return ranges
  }

  private remove(key: string, changed: Array<string>): void {
    if (!this.map.delete(key)) return
    this.keys.splice(this.position(key), 1)
    changed.push(key)
  }

  /** What the store has. */
  range({ descending = false, end, key, keysOnly = false, limit = 0 }: RangeRequest): ReadonlyArray<KeyValue> {
    const from = this.position(key)
    const to = end === undefined ? from + (this.map.has(key) ? 1 : 0) : this.position(end)
    const count = limit === 0 ? to - from : Math.min(limit, to - from)
    const found = descending ? this.keys.slice(Math.max(from, to - count), to).reverse() : this.keys.slice(from, from + count)
    return found.map((name) => {
      const { modRevision, value } = this.map.get(name) as Stored
      return { key: name, modRevision, value: keysOnly ? new Uint8Array(0) : copy(value) }
    })
  }

  /** The position of the first key that is not before `key`. */
  private position(key: string): number {
    let low = 0
    for (let high = this.keys.length; low < high; ) {
      const middle = (low + high) >>> 1
      if ((this.keys[middle] as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }

  private end(lease: string): void {
    this.leases.delete(lease)
    const changed: Array<string> = []
    for (const [key, stored] of [...this.map]) if (stored.lease === lease) this.remove(key, changed)
    if (changed.length > 0) this.revision++
    this.tell(changed)
  }
  /** Ends the leases whose time is over. */
  private readonly expire: Effect.Effect<void> = Effect.map(this.now, (now) => {
    if (!this.isQuorate) return
    if (this.extendsLeases) for (const lease of this.leases.values()) lease.endsAtMs = now + lease.ttlMs
    this.extendsLeases = false
    for (const [lease, { endsAtMs }] of [...this.leases]) if (endsAtMs <= now) this.end(lease)
  })

  private tell(changed: ReadonlyArray<string>): void {
    if (this.isHanging || changed.length === 0) return
    for (const { name, queue, range } of this.watchers) if (!this.stopped.has(name) && changed.some((key) => isIn(key, range))) queue.unsafeOffer(undefined)
  }

  private watch(name: string, range: KeyRange): Stream.Stream<void, EtcdFault> {
    return Stream.unwrapScoped(
      Effect.gen(this, function* () {
        const queue = yield* Queue.sliding<void>(1)
        const watcher = { name, range, queue }
        this.watchers.add(watcher)
        yield* Effect.addFinalizer(() => Effect.sync(() => this.watchers.delete(watcher)))
        queue.unsafeOffer(undefined)
        // Leases end by time, also where no call comes.
        const ticking = yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(100), this.expire)))
        return Stream.ensuring(Stream.fromQueue(queue), Fiber.interruptFork(ticking))
      })
    )
  }
}

const full = new EtcdFault({ kind: "full", message: "etcdserver: mvcc: database space exceeded" })
const unknown = (message: string): Effect.Effect<never, EtcdFault> => Effect.fail(new EtcdFault({ kind: "unknown", message }))
