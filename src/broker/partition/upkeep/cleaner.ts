import { type Clock, Effect, Random } from "effect"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import type { Dirt } from "../../../../domain/log/cleanable.ts"
import type { CompactionOrder } from "../../../ports/compaction.ts"
import type { LogFault } from "../../../ports/log-store.ts"
import type { PartitionOwner } from "../replica/owner.ts"
import { dirtIn, orderFor } from "./compactable.ts"

interface CleanerOptions {
  /** What holds for this node now. */
  readonly config: () => NodeConfig
  /** The partitions that this broker holds. */
  readonly owners: () => Iterable<PartitionOwner>
  readonly compression: CompactionOrder["compression"]
  readonly clock: Clock.Clock
  /** Tells a person. */
  readonly report: (line: string) => void
}

interface Candidate {
  readonly owner: PartitionOwner
  readonly dirt: Dirt
}

const word = Random.nextIntBetween(-0x8000_0000, 0x8000_0000)
const seed = Effect.all([word, word, word, word])

/** Compacts the logs of a broker in the background, one at a time: Kafka's log cleaner, with one thread. */
export class Cleaner {
  /** Logs with damage, by what was said of it: each is left alone until the broker opens it again. */
  private readonly damaged = new WeakSet<PartitionOwner>()
  /** What was said of a log last, so that it is said once. */
  private readonly said = new WeakMap<PartitionOwner, string>()

  constructor(private readonly options: CleanerOptions) {}

  /** The log that is due and has the most to gain; one with a record that has waited too long goes before the others. */
  private filthiest(without: ReadonlySet<PartitionOwner>): Candidate | undefined {
    const now = this.options.clock.unsafeCurrentTimeMillis()
    let best: Candidate | undefined
    for (const owner of this.options.owners()) {
      if (!owner.isLeading || without.has(owner) || this.damaged.has(owner)) continue
      const dirt = dirtIn(owner.compactable, now)
      if (dirt?.isDue !== true) continue
      const isBetter = best === undefined || (dirt.isOverdue === best.dirt.isOverdue ? dirt.ratio > best.dirt.ratio : dirt.isOverdue)
      if (isBetter) best = { owner, dirt }
    }
    return best
  }

  private say(owner: PartitionOwner, line: string): void {
    if (this.said.get(owner) === line) return
    this.said.set(owner, line)
    this.options.report(`${owner.topic}-${owner.partition}: ${line}`)
  }

  private failed(owner: PartitionOwner, fault: LogFault): void {
    // A log that is closed meanwhile, since its topic was removed or the broker ends, is nobody's trouble.
    if (!owner.isLeading) return
    if (fault.reason === "offline") return void owner.failed(fault)
    if (fault.reason !== "corrupt") return this.say(owner, `it could not be compacted, and will be tried again: ${fault.message}`)
    this.damaged.add(owner)
    this.say(owner, `it is not compacted any more until the broker starts again. ${fault.message}`)
  }

  /** One round over one log; whether it was done. */
  private clean({ dirt, owner }: Candidate): Effect.Effect<boolean> {
    const { clock, compression, config } = this.options
    return Effect.gen(this, function* () {
      const { compactable } = owner
      const order = orderFor(compactable, dirt, config(), compression, yield* seed, clock.unsafeCurrentTimeMillis())
      const done = yield* compactable.log.compact(order)
      yield* Effect.logDebug(
        `Compacted ${owner.topic}-${owner.partition} up to offset ${done.cleanEnd}: ${done.recordsKept} of ${done.recordsRead} records stay, ${done.bytesAfter} of ${done.bytesBefore} bytes, ${done.segmentsAfter} of ${done.segmentsBefore} segments.`
      )
      if (done.unreadable > 0)
        this.say(owner, `compaction keeps ${done.unreadable} batches whole, since they cannot be opened: they hold no records that unpack.`)
      return done.cleanEnd > dirt.from
    }).pipe(
      Effect.catchAll((fault) =>
        Effect.as(
          Effect.sync(() => this.failed(owner, fault)),
          false
        )
      )
    )
  }

  /** Compacts what is due, until nothing is. A log whose round failed waits for the next look. */
  readonly look: Effect.Effect<void> = Effect.gen(this, function* () {
    const tried = new Set<PartitionOwner>()
    for (let next = this.filthiest(tried); next !== undefined; next = this.filthiest(tried)) if (!(yield* this.clean(next))) tried.add(next.owner)
  })

  /** Looks every `log.cleaner.backoff.ms`, for as long as the broker lives. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.zipRight(
      Effect.suspend(() => Effect.sleep(this.options.config()["log.cleaner.backoff.ms"])),
      this.look
    )
  )
}
