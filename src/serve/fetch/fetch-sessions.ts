import { Effect } from "effect"
import { FetchSession } from "./fetch-session.ts"

interface FetchSessionOptions {
  /** Kafka's max.incremental.fetch.session.cache.slots; 0: the node opens no sessions. */
  readonly slots: number
  /** ms, from any point on. */
  readonly now: () => number
  /** From 0 up to 1, without 1. */
  readonly random: () => number
  /** Partitions of one session; a client that fetches more is served without a session. */
  readonly sessionPartitionsMax?: number
  /** Partitions of all sessions together. Each takes about 700 bytes. */
  readonly partitionsMax?: number
}

/** A session that is unused for this long, or is this old, may be evicted: Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS. */
export const evictionMs = 120_000
/** After a refusal, further sessions are refused for this long without a search for one to evict. */
const fullMs = 1000
const int31 = 0x7fff_ffff

/**
 * The fetch sessions of a node, bounded in number and in partitions. A new session evicts one that was unused for two minutes; otherwise the smallest that is two minutes old, if that is
 * smaller than the new one. A replica's session evicts a consumer's. If none can be evicted, the client continues without a session.
 */
export class FetchSessions {
  /** The least recently used first. */
  private readonly sessions = new Map<number, FetchSession>()
  private partitions = 0
  private readonly sessionPartitionsMax: number
  private readonly partitionsMax: number
  /** Until then a consumer's session of at most this size is refused. */
  private full: { readonly until: number; readonly size: number } = { until: Number.NEGATIVE_INFINITY, size: 0 }

  constructor(private readonly options: FetchSessionOptions) {
    this.sessionPartitionsMax = options.sessionPartitionsMax ?? 50_000
    this.partitionsMax = options.partitionsMax ?? 200_000
  }

  get count(): number {
    return this.sessions.size
  }
  /** Partitions of all sessions together. */
  get partitionCount(): number {
    return this.partitions
  }

  /** Opens a session for `size` partitions; returns undefined if there is no room. The caller adds the partitions and then calls `grown`. */
  open(owner: string, isPrivileged: boolean, usesTopicIds: boolean, size: number): FetchSession | undefined {
    if (this.options.slots === 0 || size > this.sessionPartitionsMax) return undefined
    const now = this.options.now()
    if (!isPrivileged && now < this.full.until && size <= this.full.size) return undefined
    while (this.sessions.size >= this.options.slots || this.partitions + size > this.partitionsMax) {
      const leaving = this.evictable(isPrivileged, size, now)
      if (leaving === undefined) {
        if (!isPrivileged && this.sessions.size >= this.options.slots) this.full = { until: now + fullMs, size }
        return undefined
      }
      this.remove(leaving)
    }
    const session = new FetchSession(this.newId(), owner, isPrivileged, usesTopicIds, now)
    this.sessions.set(session.id, session)
    return session
  }

  /** Returns the session with this id if it belongs to this owner. */
  find(id: number, owner: string): FetchSession | undefined {
    const session = this.sessions.get(id)
    return session?.owner === owner ? session : undefined
  }

  /** Marks the session as the most recently used. */
  touch(session: FetchSession): void {
    session.usedAt = this.options.now()
    this.sessions.delete(session.id)
    this.sessions.set(session.id, session)
  }

  /** Counts a session whose size was `before`. Closes it if it is too large; returns whether it stays open. */
  grown(session: FetchSession, before: number): boolean {
    this.partitions += session.size - before
    if (session.size <= this.sessionPartitionsMax && this.partitions <= this.partitionsMax) return true
    this.remove(session)
    return false
  }

  remove(session: FetchSession): void {
    if (!this.sessions.delete(session.id)) return
    this.partitions -= session.size
    this.full = { until: Number.NEGATIVE_INFINITY, size: 0 }
    session.close()
  }

  private evictable(isPrivileged: boolean, size: number, now: number): FetchSession | undefined {
    let least: FetchSession | undefined
    for (const session of this.sessions.values()) {
      // The first session is the least recently used one.
      if (least === undefined && now - session.usedAt > evictionMs) return session
      if (now - session.createdAt <= evictionMs && !(isPrivileged && !session.isPrivileged)) continue
      if (least === undefined || isWorthLess(session, least)) least = session
    }
    const candidate = { isPrivileged, size }
    return least !== undefined && isWorthLess(least, candidate) ? least : undefined
  }

  /** Random, so that a client cannot guess the id of another's session; 0 means no session. */
  private newId(): number {
    let id = 0
    while (id === 0 || this.sessions.has(id)) id = 1 + Math.floor(this.options.random() * (int31 - 1))
    return id
  }
}

type Worth = Pick<FetchSession, "isPrivileged" | "size">
const isWorthLess = (one: Worth, other: Worth): boolean => (one.isPrivileged === other.isPrivileged ? one.size < other.size : other.isPrivileged)

/** Makes sessions with the clock and the random numbers of the calling fiber. */
export const makeFetchSessions = (slots: number): Effect.Effect<FetchSessions> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const random = yield* Effect.random
    return new FetchSessions({
      slots,
      now: () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n),
      random: () => Effect.runSync(random.next)
    })
  })
