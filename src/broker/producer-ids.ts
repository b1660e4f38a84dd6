import { Effect } from "effect"
import type { KafkaError } from "../../domain/kernel/error-code.ts"
import type { ProducerId } from "../../domain/kernel/id.ts"
import { AllocateProducerIds } from "../protocol/message/67-allocate-producer-ids.ts"
import type { ResponseOf } from "../protocol/type/wire.ts"
import type { Relay, Unrelayed } from "./relay.ts"

/** A run of ids that only this broker hands out. */
interface ProducerIdBlock {
  readonly first: ProducerId
  readonly count: number
}

/** A stale registration is renewed in a moment, and a leader comes back: the producer is told to ask again. */
const later: KafkaError = "COORDINATOR_LOAD_IN_PROGRESS"
/** How long a producer waits for an id before it is told to ask again. */
const waitMsMax = 10_000

/**
 * The producer ids that this broker hands out. The leader allots them in blocks; the next block is asked for when a tenth of the last is left, so that a
 * producer rarely waits. Ids that are left when the broker stops are never used.
 */
export class ProducerIds {
  private next: ProducerId = 0n
  private left = 0
  private low = 0
  private reserve: ProducerIdBlock | undefined
  private readonly lock = Effect.unsafeMakeSemaphore(1)

  /** `allocate` asks the leader; `spawn` runs what nobody waits for. */
  constructor(
    private readonly allocate: Effect.Effect<ProducerIdBlock, KafkaError>,
    private readonly spawn: (effect: Effect.Effect<void>) => void
  ) {}

  /** An id that is there already; undefined where one has to be waited for. */
  take(): ProducerId | undefined {
    if (this.left === 0) this.refill()
    if (this.left === 0) return undefined
    this.left--
    if (this.left === this.low && this.reserve === undefined) this.spawn(Effect.ignore(this.fetchReserve))
    return this.next++
  }

  /** An id, as soon as the leader has given one. COORDINATOR_LOAD_IN_PROGRESS when that takes too long: the producer asks again. */
  readonly await: Effect.Effect<ProducerId, KafkaError> = Effect.suspend(() => {
    const id = this.take()
    return id !== undefined ? Effect.succeed(id) : Effect.zipRight(this.fetchReserve, this.await)
  }).pipe(Effect.timeoutFail({ duration: `${waitMsMax} millis`, onTimeout: () => later }))

  private refill(): void {
    if (this.reserve === undefined) return
    this.next = this.reserve.first
    this.left = this.reserve.count
    this.low = Math.floor(this.left / 10)
    this.reserve = undefined
  }

  /** One question to the leader at a time; the second caller finds the answer of the first. */
  private readonly fetchReserve: Effect.Effect<void, KafkaError> = this.lock.withPermits(1)(
    Effect.suspend(() =>
      this.reserve !== undefined
        ? Effect.void
        : Effect.map(this.allocate, (block) => {
            this.reserve = block
          })
    )
  )
}

/** An answer without ids: the leader refused. */
const refused = { message: "the leader gives no producer ids" }
const blockOf = ({ errorCode, producerIdLen, producerIdStart }: ResponseOf<typeof AllocateProducerIds>): Effect.Effect<ProducerIdBlock, Unrelayed> =>
  errorCode === 0 && producerIdLen > 0 ? Effect.succeed({ first: producerIdStart, count: producerIdLen }) : Effect.fail(refused)

/** Asks the leader for a block in the name of this broker's registration. */
export const allocateFrom = (relay: Relay, brokerId: number, brokerEpoch: () => number | undefined): Effect.Effect<ProducerIdBlock, KafkaError> =>
  Effect.suspend(() => {
    const epoch = brokerEpoch()
    if (epoch === undefined) return Effect.fail(later)
    // Refused within the use of a link, so that one on which the leader does not know this broker any more is not used again.
    const ask = relay.withLink((link) =>
      Effect.flatMap(
        Effect.mapError(link.call(AllocateProducerIds, { brokerId, brokerEpoch: BigInt(epoch) }), ({ message }): Unrelayed => ({ message })),
        blockOf
      )
    )
    return Effect.mapError(ask, () => later)
  })
