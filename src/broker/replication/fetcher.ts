import { Data, Effect, Schedule, type Scope } from "effect"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { type ConnectFault, formatAddress, Transport } from "../../ports/transport.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { CallFault } from "../../wire/fault.ts"
import { connect, type Link } from "../../wire/link.ts"
import type { BrokerContext } from "../broker-context.ts"
import { FetchPatience } from "./fetch-patience.ts"
import { FollowerSession } from "./fetch-session.ts"
import { backoffMsMin, Fetches, type FetchesParts } from "./fetches.ts"
import { fetchesMax, Rounds } from "./rounds.ts"

/** Why nothing can be fetched from a broker now. */
class NotFetching extends Data.TaggedError("NotFetching")<{ readonly message: string }> {}

type FetchFault = NotFetching | ConnectFault | CallFault

interface FetcherParts extends FetchesParts {
  readonly context: BrokerContext["Type"]
  /** The epoch of this broker's registration. */
  readonly brokerEpoch: () => number | undefined
  readonly transport: Transport["Type"]
}

const connectTimeoutMs = 3000
/** What the response to a fetch may have beyond `replica.fetch.response.max.bytes`: its first batch, and the frame. */
const moreResponseBytesMax = 64 * 1024 * 1024
const reconnecting = (backoffMsMax: number) =>
  Schedule.exponential(backoffMsMin).pipe(Schedule.union(Schedule.spaced(backoffMsMax)), Schedule.jitteredWith({ min: 0.5, max: 1 }))
const afterLoss = Schedule.spaced(backoffMsMin).pipe(Schedule.jitteredWith({ min: 0.5, max: 1 }))
const nanosPerMs = 1_000_000n

/**
 * Fetches the partitions that one other broker leads, over one link: fetch, append, sync, and name the new offsets in the next fetch. Two fetches may be under
 * way (`Rounds`).
 */
export class Fetcher {
  private readonly fetches: Fetches
  private isReachable: boolean | undefined
  /** Whether the leader has answered a fetch since the last attempt to connect. */
  private hasFetched = false
  private readonly backoffMsMax: number
  private readonly patience: FetchPatience

  constructor(private readonly parts: FetcherParts) {
    const config = parts.context.config()
    this.fetches = new Fetches(parts)
    this.backoffMsMax = Math.max(backoffMsMin, config["replica.fetch.backoff.ms"])
    this.patience = new FetchPatience(config)
  }

  /** Fetches until it is interrupted. A link that is lost is opened again. */
  get run(): Effect.Effect<never> {
    const { transport } = this.parts
    const connected = Effect.scoped(
      Effect.zipRight(
        this.registered,
        Effect.flatMap(this.open, (link) => this.over(link))
      )
    ).pipe(Effect.tapError(({ message }) => this.lost(message)))
    // The pause grows while the leader answers nothing. The loss of a link that worked begins it anew.
    const untilLost = Effect.retry(connected, { schedule: reconnecting(this.backoffMsMax), while: () => !this.hasFetched })
    return Effect.retry(untilLost, afterLoss).pipe(
      Effect.provideService(Transport, transport),
      Effect.orDie,
      // Another fetcher may have the partitions next.
      Effect.ensuring(Effect.sync(() => this.fetches.reset()))
    )
  }

  /** A broker that starts has replicas before it has registered: that is no fault of the other broker. */
  private readonly registered: Effect.Effect<void> = Effect.suspend(() => {
    this.hasFetched = false
    return this.parts.brokerEpoch() === undefined ? Effect.delay(this.registered, backoffMsMin) : Effect.void
  })
  private readonly open: Effect.Effect<Link, FetchFault, Transport | Scope.Scope> = Effect.suspend(
    (): Effect.Effect<Link, FetchFault, Transport | Scope.Scope> => {
      const { context, leader } = this.parts
      const broker = brokerOf(context.cluster(), leader)
      if (broker === undefined) return Effect.fail(new NotFetching({ message: `broker ${leader} is not registered` }))
      const clientId = `broker-${context.nodeId}-fetcher-${leader}`
      const config = context.config()
      const requestTimeoutMs = Math.max(1, config["replica.socket.timeout.ms"])
      const responseBytesMax = config["replica.fetch.response.max.bytes"] + moreResponseBytesMax
      const options = { clientId, connectTimeoutMs, requestTimeoutMs, responseBytesMax, inFlightRequestsMax: fetchesMax }
      return connect({ host: broker.host, port: broker.port }, options)
    }
  )

  private over(link: Link): Effect.Effect<never, FetchFault> {
    return Effect.suspend(() => {
      this.fetches.reset()
      const epoch = this.parts.brokerEpoch()
      if (epoch === undefined) return Effect.fail(new NotFetching({ message: "this broker has not registered yet" }))
      const { context } = this.parts
      const session = new FollowerSession({ replicaId: context.nodeId, replicaEpoch: BigInt(epoch) }, context.config())
      const isCurrent = Effect.suspend(() =>
        this.parts.brokerEpoch() === epoch ? Effect.void : Effect.fail(new NotFetching({ message: "this broker has registered again" }))
      )
      const rounds = new Rounds<RequestDraft<typeof Fetch>, ResponseOf<typeof Fetch>, FetchFault>({
        clock: this.parts.clock,
        isCurrent,
        next: (next) => this.fetches.next(session, next),
        call: (request) => this.call(link, request),
        take: (answer, number, isLatest) => this.answered(session, answer, number, isLatest),
        mayOverlap: () => context.config()["franz.replica.fetch.overlap"] && session.mayOverlap && this.fetches.isLight
      })
      return Effect.zipRight(this.reached(link), rounds.run)
    })
  }

  private answered(session: FollowerSession, answer: ResponseOf<typeof Fetch>, number: number, isLatest: () => boolean) {
    return Effect.suspend((): Effect.Effect<ReadonlyArray<Effect.Effect<void>>, NotFetching> => {
      const error = kafkaError(answer.errorCode)
      if (error !== "NONE") return Effect.fail(new NotFetching({ message: `broker ${this.parts.leader} ended the fetch session: ${error}` }))
      session.answered(answer)
      this.hasFetched = true
      return this.fetches.take(answer, number, isLatest)
    })
  }

  private call(link: Link, request: RequestDraft<typeof Fetch>): Effect.Effect<ResponseOf<typeof Fetch>, CallFault> {
    const sentMs = this.nowMs()
    return Effect.tapBoth(link.call(Fetch, request, { timeoutMs: this.patience.timeoutMs }), {
      onSuccess: () => Effect.sync(() => this.patience.took(this.nowMs() - sentMs)),
      onFailure: ({ _tag }) => Effect.sync(() => (_tag === "CallTimeout" ? this.patience.overdue() : undefined))
    })
  }

  private nowMs(): number {
    return Number(this.parts.clock.unsafeCurrentTimeNanos() / nanosPerMs)
  }

  private reached(link: Link): Effect.Effect<void> {
    return Effect.suspend(() => {
      const before = this.isReachable
      this.isReachable = true
      const line = `Broker ${this.parts.context.nodeId} fetches from broker ${this.parts.leader} at ${formatAddress(link.address)}.`
      return before === false ? Effect.logInfo(line) : before === undefined ? Effect.logDebug(line) : Effect.void
    })
  }
  private lost(message: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.fetches.reset()
      const before = this.isReachable
      this.isReachable = false
      if (before === false) return Effect.void
      return Effect.logWarning(`Broker ${this.parts.context.nodeId} cannot fetch from broker ${this.parts.leader}; it tries again: ${message}`)
    })
  }
}
