import { Effect } from "effect"
import { FetchSession } from "./fetch-session.ts"

interface FetchSessionOptions {
  /** Kafka's max.incremental.fetch.session.cache.slots; 0: no session is ever given. */
  readonly slots: number
  /** ms, from any point on. */
  readonly now: () => number
  /** 0 up to and without 1. */
  readonly random: () => number
  /** Partitions of one session; a client that wants more is served without one. */
  readonly sessionPartitionsMax?: number
  /** Partitions of all sessions together. One costs some 700 bytes. */
  readonly partitionsMax?: number
}

/** A session that was not used for so long, or that lives for so long, may make room for another: Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS. */
export const evictionMs = 120_000
/** Who was told that there is no room is told so again for so long without another look. */
const fullMs = 1000
const int31 = 0x7fff_ffff

/**
 * The fetch sessions of a node, bounded in their number and in their partitions. A new one takes the place of one that was silent for two minutes; else of the smallest
 * that lived for two minutes, if it is smaller, and a replica's comes before a consumer's. Where there is no place the client goes on without a session.
 */
export class FetchSessions {
  /** The least recently used first. */
  private readonly sessions = new Map<number, FetchSession>()
  private partitions = 0
  private readonly sessionPartitionsMax: number
  private readonly partitionsMax: number
  /** Until then a consumer's session of at most this size finds no place. */
  private full: { readonly until: number; readonly size: number } = { until: Number.NEGATIVE_INFINITY, size: 0 }

  constructor(private readonly options: FetchSessionOptions) {
    this.sessionPartitionsMax = options.sessionPartitionsMax ?? 50_000
    this.partitionsMax = options.partitionsMax ?? 200_000
  }

  get count(): number {
    return this.sessions.size
  }
  /** Partitions that are held by all sessions together. */
  get partitionCount(): number {
    return this.partitions
  }

  /** A session for a client that wants `size` partitions; undefined where there is no place. The caller adds them and then says `grown`. */
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

  /** The session of this id, if it is there and this owner's. */
  find(id: number, owner: string): FetchSession | undefined {
    const session = this.sessions.get(id)
    return session?.owner === owner ? session : undefined
  }

  /** It is used now, and stays the longer. */
  touch(session: FetchSession): void {
    session.usedAt = this.options.now()
    this.sessions.delete(session.id)
    this.sessions.set(session.id, session)
  }

  /** A session has changed its size from `before`. Answers whether it may stay; if not, it is closed. */
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
      // The first is the one that was silent the longest.
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

/** Sessions by the clock and the chance of the calling fiber. */
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
