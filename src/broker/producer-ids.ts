import { Effect } from "effect"
import type { KafkaError } from "../../domain/kernel/error-code.ts"
import type { ProducerId } from "../../domain/kernel/id.ts"
import { AllocateProducerIds } from "../protocol/message/67-allocate-producer-ids.ts"
import type { ResponseOf } from "../protocol/type/wire.ts"
import type { Relay, RelayFailure } from "./relay.ts"

/** A block of ids that the leader allocated to this broker alone. */
interface ProducerIdBlock {
  readonly first: ProducerId
  readonly count: number
}

/** The error after which producers repeat InitProducerId: the broker registers again, or the leader restarts. */
const retriable: KafkaError = "COORDINATOR_LOAD_IN_PROGRESS"
/** How long InitProducerId waits for the leader before the producer has to repeat it. */
const waitMsMax = 10_000

/**
 * Assigns producer ids from blocks that the leader allocates. The broker requests the next block when a tenth of the
 * current one is left, so that a producer rarely waits. Ids that are left when the broker stops are never used.
 */
export class ProducerIds {
  private next: ProducerId = 0n
  private remaining = 0
  private refillAt = 0
  private reserve: ProducerIdBlock | undefined
  private readonly lock = Effect.unsafeMakeSemaphore(1)

  /** `allocate` requests a block from the leader. `spawn` forks an effect in the background. */
  constructor(
    private readonly allocate: Effect.Effect<ProducerIdBlock, KafkaError>,
    private readonly spawn: (effect: Effect.Effect<void>) => void
  ) {}

  /** Returns the next id without waiting; undefined if the broker has none left. */
  take(): ProducerId | undefined {
    if (this.remaining === 0) this.refill()
    if (this.remaining === 0) return undefined
    this.remaining--
    if (this.remaining === this.refillAt && this.reserve === undefined) this.spawn(Effect.ignore(this.fetchReserve))
    return this.next++
  }

  /**
   * Returns the next id, after a request to the leader if none is left. Fails with COORDINATOR_LOAD_IN_PROGRESS after
   * `waitMsMax`.
   */
  readonly await: Effect.Effect<ProducerId, KafkaError> = Effect.suspend(() => {
    const id = this.take()
    return id !== undefined ? Effect.succeed(id) : Effect.zipRight(this.fetchReserve, this.await)
  }).pipe(Effect.timeoutFail({ duration: `${waitMsMax} millis`, onTimeout: () => retriable }))

  private refill(): void {
    if (this.reserve === undefined) return
    this.next = this.reserve.first
    this.remaining = this.reserve.count
    this.refillAt = Math.floor(this.remaining / 10)
    this.reserve = undefined
  }

  /** Requests a block, one request at a time: a second caller finds the block that the first one requested. */
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

const refused = { message: "the leader allocates no producer ids" }
const blockOf = ({ errorCode, producerIdLen, producerIdStart }: ResponseOf<typeof AllocateProducerIds>): Effect.Effect<ProducerIdBlock, RelayFailure> =>
  errorCode === 0 && producerIdLen > 0 ? Effect.succeed({ first: producerIdStart, count: producerIdLen }) : Effect.fail(refused)

/** Requests a block from the leader with the epoch of this broker's registration. */
export const allocateFrom = (relay: Relay, brokerId: number, brokerEpoch: () => number | undefined): Effect.Effect<ProducerIdBlock, KafkaError> =>
  Effect.suspend(() => {
    const epoch = brokerEpoch()
    if (epoch === undefined) return Effect.fail(retriable)
    // A refusal fails inside `withLink`, so that the relay drops a link on which the leader does not recognize this
    // broker.
    const ask = relay.withLink((link) =>
      Effect.flatMap(
        Effect.mapError(link.call(AllocateProducerIds, { brokerId, brokerEpoch: BigInt(epoch) }), ({ message }): RelayFailure => ({ message })),
        blockOf
      )
    )
    return Effect.mapError(ask, () => retriable)
  })
