import { type Clock, Effect, Random } from "effect"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import type { Dirt } from "../../../../domain/log/cleanable.ts"
import type { CompactionOrder } from "../../../ports/compaction.ts"
import type { LogFault } from "../../../ports/log-store.ts"
import type { Replica } from "../replica/replica.ts"
import { dirtIn, orderFor } from "./compactable.ts"

interface CleanerOptions {
  /** The settings of this node. */
  readonly config: () => NodeConfig
  /** The replicas on this broker. */
  readonly replicas: () => Iterable<Replica>
  readonly compression: CompactionOrder["compression"]
  readonly clock: Clock.Clock
  /** Warns the operator. */
  readonly warn: (line: string) => void
}

interface Candidate {
  readonly replica: Replica
  readonly dirt: Dirt
}

const word = Random.nextIntBetween(-0x8000_0000, 0x8000_0000)
const seed = Effect.all([word, word, word, word])

/** Whether the replica has a role: one whose topic was removed, or whose broker ends, is left alone. A follower compacts its own copy, as in Kafka (decision 77). */
const isHosted = ({ following, leading }: Replica): boolean => leading !== undefined || following !== undefined

/** Compacts the logs of a broker in the background, one at a time: Kafka's log cleaner, with one thread. */
export class Cleaner {
  /** Damaged logs: none of them is compacted again until the broker opens it anew. */
  private readonly damaged = new WeakSet<Replica>()
  /** The last warning about a log, so that it is not repeated. */
  private readonly lastWarning = new WeakMap<Replica, string>()

  constructor(private readonly options: CleanerOptions) {}

  /** The log that is due and has the largest dirty ratio; one with a record over max.compaction.lag.ms goes first. */
  private dirtiest(without: ReadonlySet<Replica>): Candidate | undefined {
    const now = this.options.clock.unsafeCurrentTimeMillis()
    let best: Candidate | undefined
    for (const replica of this.options.replicas()) {
      if (!isHosted(replica) || without.has(replica) || this.damaged.has(replica)) continue
      const dirt = dirtIn(replica.compactable, now)
      if (dirt?.isDue !== true) continue
      const isBetter = best === undefined || (dirt.isOverdue === best.dirt.isOverdue ? dirt.ratio > best.dirt.ratio : dirt.isOverdue)
      if (isBetter) best = { replica, dirt }
    }
    return best
  }

  private warn(replica: Replica, line: string): void {
    if (this.lastWarning.get(replica) === line) return
    this.lastWarning.set(replica, line)
    this.options.warn(`${replica.topic}-${replica.partition}: ${line}`)
  }

  private failed(replica: Replica, fault: LogFault): void {
    // A log that was closed meanwhile, because its topic was removed or the broker ends, has not failed.
    if (!isHosted(replica)) return
    if (fault.reason === "offline") return void replica.failed(fault)
    if (fault.reason !== "corrupt") return this.warn(replica, `it could not be compacted, and will be tried again: ${fault.message}`)
    this.damaged.add(replica)
    this.warn(replica, `it is not compacted any more until the broker starts again. ${fault.message}`)
  }

  /** Compacts one log once. Returns whether that made progress. */
  private clean({ dirt, replica }: Candidate): Effect.Effect<boolean> {
    const { clock, compression, config } = this.options
    return Effect.gen(this, function* () {
      const { compactable } = replica
      const order = orderFor(compactable, dirt, config(), compression, yield* seed, clock.unsafeCurrentTimeMillis())
      const done = yield* compactable.log.compact(order)
      yield* Effect.logDebug(
        `Compacted ${replica.topic}-${replica.partition} up to offset ${done.cleanEnd}: ${done.recordsKept} of ${done.recordsRead} records stay, ${done.bytesAfter} of ${done.bytesBefore} bytes, ${done.segmentsAfter} of ${done.segmentsBefore} segments.`
      )
      if (done.unreadable > 0) this.warn(replica, `compaction keeps ${done.unreadable} batches whole, since their records cannot be decompressed.`)
      return done.cleanEnd > dirt.from
    }).pipe(
      Effect.catchAll((fault) =>
        Effect.as(
          Effect.sync(() => this.failed(replica, fault)),
          false
        )
      )
    )
  }

  /** Compacts logs until none is due. A log that failed waits for the next look. */
  readonly look: Effect.Effect<void> = Effect.gen(this, function* () {
    const tried = new Set<Replica>()
    for (let next = this.dirtiest(tried); next !== undefined; next = this.dirtiest(tried)) if (!(yield* this.clean(next))) tried.add(next.replica)
  })

  /** Looks every `log.cleaner.backoff.ms`. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.zipRight(
      Effect.suspend(() => Effect.sleep(this.options.config()["log.cleaner.backoff.ms"])),
      this.look
    )
  )
}
