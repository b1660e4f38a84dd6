import { type Cause, Context, Effect, Queue } from "effect"
import { baseEventLevel } from "../../domain/cluster/event.ts"
import { eventLevelFeature, knownEventLevel } from "../../domain/cluster/event-level.ts"
import { soleListener } from "../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../domain/kernel/config/listener.ts"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { groupBy } from "../../domain/kernel/group-by.ts"
import { LogStore } from "../ports/log-store.ts"
import { type Address, formatAddress } from "../ports/transport.ts"
import { BrokerRegistration } from "../protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat, disownReasons } from "../protocol/message/63-broker-heartbeat.ts"
import type { RequestDraft } from "../protocol/type/wire.ts"
import type { CallFault } from "../wire/fault.ts"
import type { Link } from "../wire/link.ts"
import { BrokerIdentity } from "./broker-identity.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { CleanShutdown } from "./clean-shutdown.ts"
import { DisownedReplicas } from "./disowned-replicas.ts"
import { BrokerFault, type LeaderRefused, leaderRefused } from "./fault.ts"
import { Image } from "./image/image.ts"
import { LeaderContact } from "./leader-contact.ts"
import { LostRecords } from "./lost-records.ts"

/** Where this broker is reached. */
export interface Advertisement {
  /** The address at which clients reach this broker. */
  readonly advertised: Address
  /** All listeners, the one at `advertised` first. Default: that one alone, with the name PLAINTEXT. */
  readonly listeners?: ReadonlyArray<NamedEndpoint> | undefined
}

/** The registration of this broker at the leader. */
export class Registration extends Context.Tag("comanche-franz/broker/Registration")<
  Registration,
  {
    /**
     * Registers the broker once the image has the cluster's id, and sends heartbeats until it is interrupted. Then it
     * asks the leader to shut down, and returns when other brokers lead what it led, in 30 s at most. Where the leader
     * does not answer, the broker stops in 3 s.
     */
    readonly run: (advertisement: Advertisement) => Effect.Effect<never, BrokerFault>
    /** Sends the next heartbeat at once, because the metadata offset has changed. */
    readonly nudge: () => void
    /** The logs are open. Until then each heartbeat asks the leader to keep this broker fenced. */
    readonly becomeReady: () => void
    readonly isReady: () => boolean
  }
>() {
  static readonly make: Effect.Effect<
    Registration["Type"],
    never,
    BrokerSettings | BrokerIdentity | LeaderContact | Image | DisownedReplicas | LostRecords | CleanShutdown | LogStore
  > = Effect.gen(function* () {
    const image = yield* Image
    const contact = yield* LeaderContact
    const { config, nodeId } = yield* BrokerSettings
    const identity = yield* BrokerIdentity
    const { directories } = yield* LogStore
    const { keepsWhatItAcknowledged } = yield* CleanShutdown
    const disowned = yield* DisownedReplicas
    const nudges = yield* Queue.sliding<void>(1)
    const nudge = () => void nudges.unsafeOffer(undefined)
    const lost = yield* LostRecords
    disowned.whenAdded(nudge)
    const status: Status = { isReady: false, isFenced: true, wasUnfenced: false }
    const run = ({ advertised, listeners }: Advertisement) =>
      Effect.flatMap(image.founded, (clusterId) => {
        const endpoints = listeners ?? [{ name: soleListener, ...advertised }]
        const request = {
          brokerId: nodeId,
          clusterId,
          incarnationId: identity.incarnationId,
          listeners: endpoints.map(({ host, name, port }) => ({ name, host, port, securityProtocol: plaintext })),
          features: [eventLevels],
          rack: config["broker.rack"] === "" ? null : config["broker.rack"],
          logDirs: directories.flatMap((directory) => directory.id() ?? []),
          keepsWhatItAcknowledged
        }
        const pace = { heartbeatIntervalMs: config["broker.heartbeat.interval.ms"], responseTimeoutMs: contact.responseTimeoutMs }
        const metadataOffset = () => image.cluster().index - 1
        return contact.keep(
          "registration",
          new Session({ request, advertised, identity, status, nudges, ...pace, metadataOffset, disowned: disowned.due, lost }).runOn
        )
      })
    const becomeReady = () => {
      status.isReady = true
      nudge()
    }
    return { run, nudge, becomeReady, isReady: () => status.isReady }
  })
}

/** What the heartbeats say, and what the leader answered last. */
interface Status {
  isReady: boolean
  isFenced: boolean
  wasUnfenced: boolean
}

interface SessionParts {
  readonly request: RequestDraft<typeof BrokerRegistration> & { readonly brokerId: number; readonly clusterId: string }
  readonly advertised: Address
  readonly identity: BrokerIdentity["Type"]
  readonly status: Status
  readonly nudges: Queue.Dequeue<void>
  readonly heartbeatIntervalMs: number
  readonly responseTimeoutMs: number
  /** The offset of the last event that the image has applied; -1 before the first. */
  readonly metadataOffset: () => number
  readonly disowned: DisownedReplicas["Type"]["due"]
  readonly lost: LostRecords["Type"]
}

/** How long a clean shutdown waits for an answer of the leader, and for the elections of other brokers, ms. */
const shutdownResponseMs = 3000
const shutdownMsMax = 30_000
const plaintext = 0
const eventLevels = { name: eventLevelFeature, minSupportedVersion: baseEventLevel, maxSupportedVersion: knownEventLevel }
/** The errors after which the broker registers again. */
const staleEpoch: ReadonlySet<string> = new Set(["STALE_BROKER_EPOCH", "BROKER_ID_NOT_REGISTERED", "CLUSTER_AUTHORIZATION_FAILED"])

const rowsOf = (replicas: ReturnType<SessionParts["disowned"]>["replicas"]): RequestDraft<typeof BrokerHeartbeat>["disowned"] =>
  [...groupBy(replicas, ({ reason }) => reason)].map(([reason, of]) => ({
    reason: disownReasons.indexOf(reason),
    topics: [...groupBy(of, ({ topicId }) => topicId)].map(([topicId, each]) => ({ topicId, partitions: each.map(({ partition }) => partition) }))
  }))

/** The session of this broker with its leader, on one connection after the other. */
class Session {
  private readonly name: string

  constructor(private readonly parts: SessionParts) {
    this.name = `Broker ${parts.request.brokerId}`
  }

  readonly runOn = (link: Link): Effect.Effect<never, CallFault | LeaderRefused | BrokerFault> =>
    Effect.forever(Effect.flatMap(this.register(link), (epoch) => this.sendHeartbeats(link, epoch))).pipe(Effect.onInterrupt(() => this.shutDown(link)))

  private register(link: Link): Effect.Effect<number, CallFault | LeaderRefused | BrokerFault> {
    const { advertised, identity, request, status } = this.parts
    const address = formatAddress(link.address)
    return Effect.flatMap(link.call(BrokerRegistration, request), ({ brokerEpoch, errorCode }): Effect.Effect<number, LeaderRefused | BrokerFault> => {
      const error = kafkaError(errorCode)
      const epoch = Number(brokerEpoch)
      switch (error) {
        case "NONE":
          // The same epoch after a restart of the leader or a lost connection: the broker's fencing is unchanged.
          if (identity.epoch() !== epoch) status.isFenced = true
          identity.registeredAs({ request, epoch })
          return Effect.as(Effect.logDebug(`${this.name} is registered at ${formatAddress(advertised)} with epoch ${epoch}.`), epoch)
        case "DUPLICATE_BROKER_REGISTRATION":
          return leaderRefused(
            `${this.name} is registered by another process, whose session has not expired. Waiting for it to expire; if the other process still runs, give this one another node.id.`
          )
        case "INCONSISTENT_CLUSTER_ID":
          return Effect.fail(
            new BrokerFault({
              kind: "foreign cluster",
              message: `${this.name} belongs to cluster ${request.clusterId}; the leader at ${address} leads another cluster.`
            })
          )
        default:
          return leaderRefused(`The leader at ${address} rejects the registration of ${this.name}: ${error}.`)
      }
    })
  }

  /** Sends heartbeats with one epoch. Ends when the leader rejects the epoch. */
  private sendHeartbeats(link: Link, epoch: number): Effect.Effect<void, CallFault | LeaderRefused> {
    const pause = Effect.timeoutOption(Queue.take(this.parts.nudges), this.parts.heartbeatIntervalMs)
    const beat = Effect.tap(this.beat(link, epoch), (isValid) => (isValid ? pause : Effect.void))
    return Effect.asVoid(Effect.repeat(beat, { while: (isValid) => isValid }))
  }

  /** Sends a heartbeat; returns whether the epoch is still valid. */
  private beat(link: Link, epoch: number): Effect.Effect<boolean, CallFault | LeaderRefused> {
    return Effect.flatMap(this.sendHeartbeat(link, epoch, false), ({ errorCode, isFenced }): Effect.Effect<boolean, LeaderRefused> => {
      const error = kafkaError(errorCode)
      if (staleEpoch.has(error))
        return Effect.as(Effect.logWarning(`The leader rejects epoch ${epoch} of ${this.name} (${error}); the broker registers again.`), false)
      if (error !== "NONE") return leaderRefused(`The leader at ${formatAddress(link.address)} rejects the heartbeat of ${this.name}: ${error}.`)
      return Effect.as(this.logFencing(isFenced), true)
    })
  }

  private sendHeartbeat(link: Link, epoch: number, wantShutDown: boolean) {
    const { disowned, lost, metadataOffset, request, responseTimeoutMs: timeoutMs, status } = this.parts
    return Effect.suspend(() => {
      const { hasMore, replicas } = disowned()
      const reports = lost.waiting()
      const heartbeat = {
        brokerId: request.brokerId,
        brokerEpoch: BigInt(epoch),
        currentMetadataOffset: BigInt(metadataOffset()),
        wantFence: !status.isReady || hasMore,
        wantShutDown,
        disowned: rowsOf(replicas),
        lost: reports.map((each) => ({ ...each, from: BigInt(each.from), to: BigInt(each.to) }))
      }
      const call = link.call(BrokerHeartbeat, heartbeat, { timeoutMs })
      return Effect.tap(call, ({ errorCode }) => Effect.sync(() => (errorCode === 0 ? lost.reported(reports) : undefined)))
    })
  }

  private logFencing(isFenced: boolean): Effect.Effect<void> {
    const { status } = this.parts
    if (isFenced === status.isFenced) return Effect.void
    status.isFenced = isFenced
    if (isFenced) return Effect.logWarning(`${this.name} is fenced by the leader: it serves no partition until the leader unfences it.`)
    // The first time at level DEBUG: the program that started this broker prints that it is ready.
    const line = `${this.name} is unfenced and serves.`
    const logged = status.wasUnfenced ? Effect.logInfo(line) : Effect.logDebug(line)
    status.wasUnfenced = true
    return logged
  }

  /**
   * Controlled shutdown, on the connection on which the broker registered: asks to shut down until the leader says that
   * it may. Meanwhile other brokers are elected for what this one leads, and it obeys the image as before
   * (KAFKA-14296); its followers and clients stay connected.
   */
  private shutDown(link: Link): Effect.Effect<void> {
    const { heartbeatIntervalMs, identity, nudges } = this.parts
    // The caller is interrupted: what has to end early is made interruptible.
    const pause = Effect.timeoutOption(Effect.interruptible(Queue.take(nudges)), heartbeatIntervalMs)
    const ask = (epoch: number) => Effect.timeout(Effect.interruptible(this.sendHeartbeat(link, epoch, true)), shutdownResponseMs)
    return Effect.flatMap(Effect.clock, (clock) => {
      const beganAt = clock.unsafeCurrentTimeMillis()
      const until = (epoch: number): Effect.Effect<void, CallFault | Cause.TimeoutException> =>
        Effect.flatMap(ask(epoch), ({ errorCode, shouldShutDown }) =>
          errorCode !== 0 || shouldShutDown || clock.unsafeCurrentTimeMillis() - beganAt >= shutdownMsMax ? Effect.void : Effect.zipRight(pause, until(epoch))
        )
      const epoch = identity.epoch()
      return epoch === undefined ? Effect.void : Effect.ignore(until(epoch))
    })
  }
}
