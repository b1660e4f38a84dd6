import { Context, Effect, Queue, type Scope } from "effect"
import type { KafkaError } from "../../domain/kernel/error-code.ts"
import type { ProducerId } from "../../domain/kernel/id.ts"
import { AllocateProducerIds } from "../protocol/message/67-allocate-producer-ids.ts"
import { RelayFailure } from "../serve/relay/relay-failure.ts"
import { BrokerIdentity } from "./broker-identity.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { Relay } from "./relay.ts"

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
export class ProducerIds extends Context.Tag("comanche-franz/broker/ProducerIds")<
  ProducerIds,
  {
    /** Returns the next id without waiting; undefined if the broker has none left. */
    readonly take: () => ProducerId | undefined
    /**
     * Returns the next id, after a request to the leader if none is left. Fails with COORDINATOR_LOAD_IN_PROGRESS
     * after 10 s.
     */
    readonly await: Effect.Effect<ProducerId, KafkaError>
  }
>() {
  static readonly make: Effect.Effect<ProducerIds["Type"], never, Relay | BrokerSettings | BrokerIdentity | Scope.Scope> = Effect.gen(function* () {
    const allocate = Effect.mapError(yield* allocation, () => retriable)
    const lock = yield* Effect.makeSemaphore(1)
    const isLow = yield* Queue.sliding<void>(1)
    const blocks = new Blocks(() => void isLow.unsafeOffer(undefined))
    // One request at a time: a second caller finds the block that the first one requested.
    const refill = lock.withPermits(1)(Effect.suspend(() => (blocks.hasReserve ? Effect.void : Effect.map(allocate, (block) => blocks.add(block)))))
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Queue.take(isLow), Effect.ignore(refill))))
    const next: Effect.Effect<ProducerId, KafkaError> = Effect.suspend(() => {
      const id = blocks.take()
      return id === undefined ? Effect.zipRight(refill, next) : Effect.succeed(id)
    })
    return { take: () => blocks.take(), await: Effect.timeoutFail(next, { duration: waitMsMax, onTimeout: () => retriable }) }
  })
}

/** The block in use, and the next one. */
class Blocks {
  private next: ProducerId = 0n
  private remaining = 0
  private lowAt = 0
  private reserve: ProducerIdBlock | undefined

  /** `onLow` is called when a tenth of a block is left and there is no other. */
  constructor(private readonly onLow: () => void) {}

  get hasReserve(): boolean {
    return this.reserve !== undefined
  }
  add(block: ProducerIdBlock): void {
    this.reserve = block
  }

  take(): ProducerId | undefined {
    if (this.remaining === 0) this.beginReserve()
    if (this.remaining === 0) return undefined
    this.remaining--
    if (this.remaining === this.lowAt && this.reserve === undefined) this.onLow()
    return this.next++
  }

  private beginReserve(): void {
    if (this.reserve === undefined) return
    this.next = this.reserve.first
    this.remaining = this.reserve.count
    this.lowAt = Math.floor(this.remaining / 10)
    this.reserve = undefined
  }
}

/** Requests a block from the leader with the epoch of this broker's registration. */
const allocation: Effect.Effect<Effect.Effect<ProducerIdBlock, RelayFailure>, never, Relay | BrokerSettings | BrokerIdentity> = Effect.gen(function* () {
  const { nodeId } = yield* BrokerSettings
  const { epoch } = yield* BrokerIdentity
  const { withLink } = yield* Relay
  return Effect.suspend(() => {
    const brokerEpoch = epoch()
    if (brokerEpoch === undefined) return Effect.fail(new RelayFailure({ message: "this broker has not registered yet" }))
    // A refusal fails inside `withLink`, so that the relay drops a link on which the leader does not recognize this
    // broker.
    return withLink((link) =>
      link.call(AllocateProducerIds, { brokerId: nodeId, brokerEpoch: BigInt(brokerEpoch) }).pipe(
        Effect.mapError(({ message }) => new RelayFailure({ message })),
        Effect.filterOrFail(
          ({ errorCode, producerIdLen }) => errorCode === 0 && producerIdLen > 0,
          () => new RelayFailure({ message: "the leader allocates no producer ids" })
        ),
        Effect.map(({ producerIdLen, producerIdStart }): ProducerIdBlock => ({ first: producerIdStart, count: producerIdLen }))
      )
    )
  })
})
