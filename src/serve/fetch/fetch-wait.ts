import { Either } from "effect"
import { Later } from "../../wire/later.ts"
import type { ResponseCapacity } from "../../wire/memory/response-budget.ts"
import { type Steps, visited } from "../../wire/sliced.ts"
import type { Deadlines } from "../deadlines.ts"
import type { FindReadable } from "../readable.ts"
import type { FetchSession, SessionPartition } from "./fetch-session.ts"
import { nextOffsetAfter, sizeOf } from "./record-views.ts"
import type { Source } from "./source.ts"

/**
 * Counts the bytes that were appended since the last count. Keeps only sizes, so that a waiting Fetch holds no records in memory. Counts no more than the response may have of the
 * partition. A read that fails counts as enough: the response will carry the error.
 */
const count = (source: Source, enough: number): number => {
  if (source.readable.highWatermark() <= source.cursor || source.bytes >= source.limit) return source.bytes
  const read = source.readable.read(source.cursor, Math.min(enough, source.limit - source.bytes))
  if (Either.isLeft(read)) return enough
  source.cursor = nextOffsetAfter(read.right, source.cursor)
  source.bytes = Math.min(source.limit, source.bytes + sizeOf(read.right))
  return source.bytes
}

const hasMoved = (find: FindReadable, source: Source): boolean =>
  typeof find(source.ref, source.index) === "string" || source.readable.leaderEpoch() !== source.epoch

/** Counts the bytes of sources whenever one advances, until all together have enough. */
export class SourceWatch {
  private total = 0
  private stops: Array<() => void> = []
  private isOver = false
  private enough: (() => void) | undefined

  constructor(
    private readonly find: FindReadable,
    private readonly bytesMin: number
  ) {}

  /** Watches a further source and counts it at once, since records may have been appended meanwhile. */
  add(source: Source): void {
    if (this.isOver) return
    this.stops.push(source.readable.onAdvance(() => this.look(source)))
    this.look(source)
  }
  /** Calls `enough` once; at once if there is enough already. */
  whenEnough(enough: () => void): void {
    if (this.isOver) enough()
    else this.enough = enough
  }
  /** Stops counting. `release` removes the registrations. */
  halt(): void {
    this.isOver = true
  }
  release(): void {
    this.halt()
    for (const stop of this.stops) stop()
    this.stops = []
  }
  *releaseInSlices(): Steps<void> {
    this.halt()
    yield* visited(this.stops, (stop) => stop())
    this.stops = []
  }

  private look(source: Source): void {
    if (this.isOver) return
    const before = source.bytes
    this.total += count(source, this.bytesMin) - before
    if (this.total < this.bytesMin && !hasMoved(this.find, source)) return
    this.isOver = true
    this.enough?.()
  }
}

/** Does the same for a session: its partitions report their advances to it, and only those with new records are counted. */
const watchSession = (find: FindReadable, session: FetchSession, bytesMin: number, enough: () => void): (() => void) => {
  let total = 0
  const counted: Array<SessionPartition> = []
  const stop = () => {
    if (session.waiter === look) session.waiter = undefined
    for (const partition of counted) partition.source = undefined
    counted.length = 0
  }
  const look = (partition: SessionPartition | undefined) => {
    const isKnown = partition?.source !== undefined
    const source = partition?.watched()
    if (partition !== undefined && source !== undefined) {
      if (!isKnown) counted.push(partition)
      const before = source.bytes
      total += count(source, bytesMin) - before
      if (total < bytesMin && !hasMoved(find, source)) return
    }
    stop()
    enough()
  }
  session.waiter = look
  for (const partition of session.duePartitions) if (session.waiter === look) look(partition)
  return stop
}

/** Starts to wait and calls `enough` once; returns a function that stops the wait. */
type Watch = (enough: () => void) => () => void

/** Ends when the sources together have `bytesMin` bytes from their fetch offsets on, or when this node cannot serve one of them any more. It runs only when a partition advances. */
export const watchSources =
  (find: FindReadable, sources: ReadonlyArray<Source>, bytesMin: number): Watch =>
  (enough) => {
    const watch = new SourceWatch(find, bytesMin)
    for (const source of sources) watch.add(source)
    watch.whenEnough(() => {
      watch.release()
      enough()
    })
    return () => watch.release()
  }

/** As `watchSources`, over all partitions of a session. It also ends when another Fetch uses the session, or the session closes. */
export const watchPartitions =
  (find: FindReadable, session: FetchSession, bytesMin: number): Watch =>
  (enough) =>
    watchSession(find, session, bytesMin, enough)

/** Ends when there is memory for responses again. */
export const watchRoom =
  (answers: ResponseCapacity): Watch =>
  (enough) => {
    const stop = answers.whenFree(() => {
      stop()
      enough()
    })
    return stop
  }

/** Waits until a watch has enough, or for `waitMs`. Releases the watch if the wait is cancelled; otherwise `then` releases it, in slices. */
export const wideWait = <A>(watch: SourceWatch, waitMs: number, deadlines: Deadlines, then: () => A): Later<A> =>
  new Later<A>((ready) => {
    const deadline = deadlines.after(waitMs, () => {
      watch.halt()
      ready(then)
    })
    watch.whenEnough(() => {
      deadline.cancel()
      ready(then)
    })
    return () => {
      deadline.cancel()
      watch.release()
    }
  }, then)

/**
 * The result of `then`: when `watching` has enough, after `waitMs`, or earlier when the node is short of memory; where it `yields`, also at the next request
 * of the connection.
 */
export const within = <A>(watching: Watch, waitMs: number, deadlines: Deadlines, then: () => A | Later<A>, yields = false): Later<A> => {
  const begin: Later<A>["begin"] = (ready) => {
    let isOver = false
    let stop: (() => void) | undefined
    const deadline = deadlines.after(waitMs, () => {
      if (isOver) return
      isOver = true
      stop?.()
      ready(then)
    })
    const call = () => {
      if (isOver) return
      isOver = true
      deadline.cancel()
      ready(then)
    }
    stop = watching(call)
    return () => {
      isOver = true
      deadline.cancel()
      stop?.()
    }
  }
  return new Later(begin, then, yields)
}
