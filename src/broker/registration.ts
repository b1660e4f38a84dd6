import { Effect, Queue } from "effect"
import { baseEventLevel } from "../../domain/cluster/event.ts"
import { eventLevelFeature, knownEventLevel } from "../../domain/cluster/event-level.ts"
import { soleListener } from "../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../domain/kernel/config/listener.ts"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { type Address, formatAddress, type Transport } from "../ports/transport.ts"
import { BrokerRegistration } from "../protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../protocol/message/63-broker-heartbeat.ts"
import type { CallFault } from "../wire/fault.ts"
import type { Link } from "../wire/link.ts"
import { BrokerFault } from "./fault.ts"
import { type LeaderContact, type LeaderRefused, leaderRefused } from "./leader-contact.ts"

interface RegistrationOptions {
  readonly nodeId: number
  readonly contact: LeaderContact
  readonly clusterId: string
  /** The UUID of this process, which tells it from earlier processes with the same node id. */
  readonly incarnationId: string
  /** The address at which clients reach this broker. */
  readonly advertised: Address
  /** All listeners, the one at `advertised` first. Default: that one alone, with the name PLAINTEXT. */
  readonly listeners?: ReadonlyArray<NamedEndpoint> | undefined
  readonly rack: string | null
  readonly heartbeatIntervalMs: number
  /** The offset of the last event that the image has applied; -1 before the first. */
  readonly metadataOffset: () => number
  /** Whether the logs are open. Until then each heartbeat asks the leader to keep this broker fenced. */
  readonly isReady: () => boolean
}

/** The registration of this broker at the leader. */
export interface Registration {
  /** The current broker epoch; undefined before the first registration. */
  readonly epoch: () => number | undefined
  /**
   * Registers the broker and sends heartbeats until it is interrupted. Then it reports the shutdown to the leader, so
   * that no client waits for the session to expire. The report has a timeout, and its failure is ignored.
   */
  readonly run: Effect.Effect<never, BrokerFault, Transport>
  /** Sends the next heartbeat at once, because the metadata offset or the readiness has changed. */
  readonly nudge: () => void
}

/** How long a clean shutdown waits for the leader. */
const shutdownMs = 3000
const plaintext = 0
const eventLevels = { name: eventLevelFeature, minSupportedVersion: baseEventLevel, maxSupportedVersion: knownEventLevel }

class Session {
  epoch: number | undefined
  private fenced = true
  private wasUnfenced = false

  constructor(
    private readonly options: RegistrationOptions,
    private readonly nudges: Queue.Queue<void>
  ) {}

  private get name(): string {
    return `Broker ${this.options.nodeId}`
  }

  readonly runOn = (link: Link): Effect.Effect<never, CallFault | LeaderRefused | BrokerFault> =>
    Effect.forever(Effect.flatMap(this.register(link), (epoch) => this.sendHeartbeats(link, epoch))).pipe(Effect.onInterrupt(() => this.reportShutdown(link)))

  /** Repeats the registration on another connection, so that the leader accepts the requests of a broker on it. */
  readonly identify = (link: Link): Effect.Effect<void, CallFault | LeaderRefused> =>
    Effect.suspend(() => {
      if (this.epoch === undefined) return leaderRefused(`${this.name} has not registered yet.`)
      return Effect.flatMap(this.sendRegistration(link), ({ errorCode }) =>
        errorCode === 0 ? Effect.void : leaderRefused(`The leader at ${formatAddress(link.address)} does not recognize ${this.name}: ${kafkaError(errorCode)}.`)
      )
    })

  private sendRegistration(link: Link) {
    const { advertised, clusterId, incarnationId, nodeId, rack } = this.options
    const endpoints = this.options.listeners ?? [{ name: soleListener, ...advertised }]
    const listeners = endpoints.map(({ host, name, port }) => ({ name, host, port, securityProtocol: plaintext }))
    return link.call(BrokerRegistration, { brokerId: nodeId, clusterId, incarnationId, listeners, features: [eventLevels], rack })
  }

  private register(link: Link): Effect.Effect<number, CallFault | LeaderRefused | BrokerFault> {
    const { advertised, clusterId } = this.options
    return Effect.flatMap(this.sendRegistration(link), ({ brokerEpoch, errorCode }): Effect.Effect<number, LeaderRefused | BrokerFault> => {
      const error = kafkaError(errorCode)
      switch (error) {
        case "NONE":
          // The same epoch after a restart of the leader or a lost connection: the broker's fencing is unchanged.
          if (this.epoch !== Number(brokerEpoch)) this.fenced = true
          this.epoch = Number(brokerEpoch)
          return Effect.as(Effect.logDebug(`${this.name} is registered at ${formatAddress(advertised)} with epoch ${brokerEpoch}.`), Number(brokerEpoch))
        case "DUPLICATE_BROKER_REGISTRATION":
          return leaderRefused(
            `${this.name} is registered by another process, whose session has not expired. Waiting for it to expire; if the other process still runs, give this one another node.id.`
          )
        case "INCONSISTENT_CLUSTER_ID":
          return Effect.fail(
            new BrokerFault({
              kind: "foreign cluster",
              message: `${this.name} belongs to cluster ${clusterId}; the leader at ${formatAddress(link.address)} leads another cluster.`
            })
          )
        default:
          return leaderRefused(`The leader at ${formatAddress(link.address)} rejects the registration of ${this.name}: ${error}.`)
      }
    })
  }

  /** Sends heartbeats with one epoch. Ends when the leader rejects the epoch. */
  private sendHeartbeats(link: Link, epoch: number): Effect.Effect<void, CallFault | LeaderRefused> {
    const pause = Effect.timeoutOption(Queue.take(this.nudges), `${this.options.heartbeatIntervalMs} millis`)
    const beat: Effect.Effect<void, CallFault | LeaderRefused> = Effect.suspend(() =>
      Effect.flatMap(this.sendHeartbeat(link, epoch, false), ({ errorCode, isFenced }): Effect.Effect<void, CallFault | LeaderRefused> => {
        const error = kafkaError(errorCode)
        if (error === "STALE_BROKER_EPOCH" || error === "BROKER_ID_NOT_REGISTERED" || error === "CLUSTER_AUTHORIZATION_FAILED")
          return Effect.logWarning(`The leader rejects epoch ${epoch} of ${this.name} (${error}); the broker registers again.`)
        if (error !== "NONE") return leaderRefused(`The leader at ${formatAddress(link.address)} rejects the heartbeat of ${this.name}: ${error}.`)
        return this.logFencing(isFenced).pipe(Effect.zipRight(pause), Effect.zipRight(beat))
      })
    )
    return beat
  }

  private sendHeartbeat(link: Link, epoch: number, wantShutDown: boolean) {
    const { isReady, metadataOffset, nodeId } = this.options
    return link.call(BrokerHeartbeat, {
      brokerId: nodeId,
      brokerEpoch: BigInt(epoch),
      currentMetadataOffset: BigInt(metadataOffset()),
      wantFence: !isReady(),
      wantShutDown
    })
  }

  private logFencing(fenced: boolean): Effect.Effect<void> {
    if (fenced === this.fenced) return Effect.void
    this.fenced = fenced
    if (fenced) return Effect.logWarning(`${this.name} is fenced by the leader: it serves no partition until the leader unfences it.`)
    // The first time at level DEBUG: the program that started this broker prints that it is ready.
    const line = `${this.name} is unfenced and serves.`
    const logged = this.wasUnfenced ? Effect.logInfo(line) : Effect.logDebug(line)
    this.wasUnfenced = true
    return logged
  }

  /** Reports the shutdown of this broker to the leader, on the connection on which it registered. */
  private reportShutdown(link: Link): Effect.Effect<void> {
    return Effect.suspend(() => (this.epoch === undefined ? Effect.void : this.sendHeartbeat(link, this.epoch, true))).pipe(
      Effect.timeout(`${shutdownMs} millis`),
      Effect.ignore
    )
  }
}

export const makeRegistration = (options: RegistrationOptions): Effect.Effect<Registration> =>
  Effect.map(Queue.sliding<void>(1), (nudges) => {
    const session = new Session(options, nudges)
    options.contact.identify = session.identify
    return {
      epoch: () => session.epoch,
      run: options.contact.keep("registration", session.runOn),
      nudge: () => void nudges.unsafeOffer(undefined)
    }
  })
