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
 * takes no writes at that moment.
 */
type WriteFault = "lost" | "unanswered" | "twice" | "late" | "full"

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

/** How long a client waits for an answer that does not come, ms. */
const patienceMs = 2000

const isIn = (key: string, { end, key: from }: KeyRange): boolean => (end === undefined ? key === from : key >= from && key < end)
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
  /** Whether there is a majority of members. */
  hasQuorum = true
  /** Whether watches stay silent. */
  isHanging = false
  /** How long a late write is on its way. */
  lateMs = 5000
  /** How long each call takes. */
  latencyMs = 0
  /** Writes that were done, in their order, for tests. */
  readonly done: Array<Txn> = []

  /** The next transaction that `which` picks meets the fault. */
  fault(which: Which, fault: WriteFault): void {
    this.faults.push({ which, fault })
  }
  /** Stops a client until `resume`. */
  stop(name: string): void {
    this.stopped.set(name, Effect.unsafeMakeLatch(false))
  }
  resume(name: string): void {
    this.stopped.get(name)?.unsafeOpen()
    this.stopped.delete(name)
  }
  /** Ends all leases, as an etcd does that lost its time. */
  readonly revokeAll: Effect.Effect<void> = Effect.sync(() => {
    for (const lease of [...this.leases.keys()]) this.end(lease)
  })
  /** Ends all watches, as etcd does with those whose revision is compacted. */
  readonly cancelWatches: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.watchers], ({ queue }) => Queue.shutdown(queue), { discard: true })
  )
  /** The keys that begin with `prefix`. */
  under(prefix: string): ReadonlyArray<string> {
    return this.keys.filter((key) => key.startsWith(prefix))
  }
  /** Removes a key, or changes its value, as an operator or a restored backup would. */
  overwrite(key: string, value: Uint8Array | undefined): void {
    this.apply([value === undefined ? { remove: { key } } : { put: key, value }])
  }

  client(name: string): EtcdClient {
    const call = <A>(work: Effect.Effect<A, EtcdFault>): Effect.Effect<A, EtcdFault> => Effect.suspend(() => this.call(name, work))
    return {
      where: "etcd://simulated",
      txn: (txn) => call(Effect.suspend(() => this.txn(txn))),
      range: (request) => call(Effect.sync(() => this.range(request))),
      grant: (seconds) =>
        call(
          Effect.map(this.now, (now) => {
            const lease = String(++this.lastLease)
            this.leases.set(lease, { ttlMs: seconds * 1000, endsAtMs: now + seconds * 1000 })
            return lease
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

  private call<A>(name: string, work: Effect.Effect<A, EtcdFault>): Effect.Effect<A, EtcdFault> {
    return Effect.gen(this, function* () {
      const latch = this.stopped.get(name)
      if (latch !== undefined) yield* latch.await
      if (this.latencyMs > 0) yield* Effect.sleep(this.latencyMs)
      if (!this.hasQuorum) {
        yield* Effect.sleep(patienceMs)
        return yield* unknown("etcdserver: request timed out")
      }
      yield* this.expire
      return yield* work
    })
  }

  private txn(txn: Txn): Effect.Effect<TxnResult, EtcdFault> {
    const writes = [...txn.then, ...(txn.otherwise ?? [])].some((operation) => !("range" in operation))
    const at = writes ? this.faults.findIndex(({ which }) => which(txn)) : -1
    const fault = at === -1 ? undefined : this.faults.splice(at, 1)[0]?.fault
    if (fault === undefined) return this.commit(txn)
    const silence = Effect.zipRight(Effect.sleep(patienceMs), unknown("no answer"))
    const late = Effect.sleep(this.lateMs).pipe(Effect.zipRight(this.expire), Effect.zipRight(Effect.ignore(this.commit(txn))))
    const outcomes: { readonly [Kind in WriteFault]: Effect.Effect<TxnResult, EtcdFault> } = {
      lost: silence,
      unanswered: Effect.zipRight(Effect.ignore(this.commit(txn)), silence),
      twice: Effect.zipRight(Effect.ignore(this.commit(txn)), this.commit(txn)),
      late: Effect.zipRight(Effect.forkDaemon(late), silence),
      full: Effect.fail(full)
    }
    return outcomes[fault]
  }

  private commit({ compares, otherwise = [], then }: Txn): Effect.Effect<TxnResult, EtcdFault> {
    return Effect.suspend(() => {
      const succeeded = compares.every((compare) => this.holds(compare))
      const operations = succeeded ? then : otherwise
      const puts = operations.filter((operation) => "put" in operation)
      if (this.isFull && puts.length > 0) return Effect.fail(full)
      if (puts.some((put) => "lease" in put && put.lease !== undefined && !this.leases.has(put.lease)))
        return Effect.fail(new EtcdFault({ kind: "refused", message: "etcdserver: requested lease not found" }))
      const ranges = this.apply(operations)
      if (succeeded && then.some((operation) => !("range" in operation))) this.done.push({ compares, then })
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

  private range({ descending = false, end, key, keysOnly = false, limit = 0 }: RangeRequest): ReadonlyArray<KeyValue> {
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
