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
  /** This process among all that run under the node id: a UUID drawn at its start. */
  readonly incarnationId: string
  /** Where clients reach this broker. */
  readonly advertised: Address
  /** All its listeners, the one at `advertised` first; default: that one alone, by the name PLAINTEXT. */
  readonly listeners?: ReadonlyArray<NamedEndpoint> | undefined
  readonly rack: string | null
  readonly heartbeatIntervalMs: number
  /** The index of the last event that the image holds; -1 before the first. */
  readonly metadataOffset: () => number
  /** Whether the logs are open: until then this broker asks to be kept out. */
  readonly isReady: () => boolean
}

/** How this broker stands with its leader. */
export interface Registration {
  /** The epoch of the registration that stands; undefined before the first. */
  readonly epoch: () => number | undefined
  /**
   * Registers and says that it lives, until it is interrupted; then it tells the leader that this broker stops, so that no client waits for a session to end. That is
   * bounded in time, and a leader that is away changes nothing.
   */
  readonly run: Effect.Effect<never, BrokerFault, Transport>
  /** The next heartbeat is due at once: something has changed that the leader waits for. */
  readonly nudge: () => void
}

/** How long a clean stop waits for the leader. */
const leaveMs = 3000
const plaintext = 0
const eventLevels = { name: eventLevelFeature, minSupportedVersion: baseEventLevel, maxSupportedVersion: knownEventLevel }

class Session {
  epoch: number | undefined
  private fenced = true
  private hasServed = false

  constructor(
    private readonly options: RegistrationOptions,
    private readonly nudges: Queue.Queue<void>
  ) {}

  private get name(): string {
    return `Broker ${this.options.nodeId}`
  }

  readonly over = (link: Link): Effect.Effect<never, CallFault | LeaderRefused | BrokerFault> =>
    Effect.forever(Effect.flatMap(this.register(link), (epoch) => this.live(link, epoch))).pipe(Effect.onInterrupt(() => this.goodbye(link)))

  /** The registration once more, on another connection: the leader knows from then on whose it is. */
  readonly show = (link: Link): Effect.Effect<void, CallFault | LeaderRefused> =>
    Effect.suspend(() => {
      if (this.epoch === undefined) return leaderRefused(`${this.name} has not registered yet.`)
      return Effect.flatMap(this.ask(link), ({ errorCode }) =>
        errorCode === 0 ? Effect.void : leaderRefused(`The leader at ${formatAddress(link.address)} does not know ${this.name}: ${kafkaError(errorCode)}.`)
      )
    })

  private ask(link: Link) {
    const { advertised, clusterId, incarnationId, nodeId, rack } = this.options
    const named = this.options.listeners ?? [{ name: soleListener, ...advertised }]
    const listeners = named.map(({ host, name, port }) => ({ name, host, port, securityProtocol: plaintext }))
    return link.call(BrokerRegistration, { brokerId: nodeId, clusterId, incarnationId, listeners, features: [eventLevels], rack })
  }

  private register(link: Link): Effect.Effect<number, CallFault | LeaderRefused | BrokerFault> {
    const { advertised, clusterId } = this.options
    return Effect.flatMap(this.ask(link), ({ brokerEpoch, errorCode }): Effect.Effect<number, LeaderRefused | BrokerFault> => {
      const error = kafkaError(errorCode)
      switch (error) {
        case "NONE":
          // A registration that stands, after a leader's restart or a lost link, changes nothing.
          if (this.epoch !== Number(brokerEpoch)) this.fenced = true
          this.epoch = Number(brokerEpoch)
          return Effect.as(Effect.logDebug(`${this.name} is registered at ${formatAddress(advertised)} with epoch ${brokerEpoch}.`), Number(brokerEpoch))
        case "DUPLICATE_BROKER_REGISTRATION":
          return leaderRefused(
            `${this.name} is registered by another process that was alive a moment ago. Waiting until its session is over; if it still runs, give this one another node.id.`
          )
        case "INCONSISTENT_CLUSTER_ID":
          return Effect.fail(
            new BrokerFault({
              kind: "foreign cluster",
              message: `${this.name} belongs to cluster ${clusterId}; the leader at ${formatAddress(link.address)} leads another.`
            })
          )
        default:
          return leaderRefused(`The leader at ${formatAddress(link.address)} does not register ${this.name}: ${error}.`)
      }
    })
  }

  /** Heartbeats under one epoch; ends when the leader no longer knows it. */
  private live(link: Link, epoch: number): Effect.Effect<void, CallFault | LeaderRefused> {
    const pause = Effect.timeoutOption(Queue.take(this.nudges), `${this.options.heartbeatIntervalMs} millis`)
    const beat: Effect.Effect<void, CallFault | LeaderRefused> = Effect.suspend(() =>
      Effect.flatMap(this.heartbeat(link, epoch, false), ({ errorCode, isFenced }): Effect.Effect<void, CallFault | LeaderRefused> => {
        const error = kafkaError(errorCode)
        if (error === "STALE_BROKER_EPOCH" || error === "BROKER_ID_NOT_REGISTERED" || error === "CLUSTER_AUTHORIZATION_FAILED")
          return Effect.logWarning(`${this.name} is no longer known to the leader under epoch ${epoch} (${error}); it registers again.`)
        if (error !== "NONE") return leaderRefused(`The leader at ${formatAddress(link.address)} does not take the heartbeat of ${this.name}: ${error}.`)
        return this.stands(isFenced).pipe(Effect.zipRight(pause), Effect.zipRight(beat))
      })
    )
    return beat
  }

  private heartbeat(link: Link, epoch: number, wantShutDown: boolean) {
    const { isReady, metadataOffset, nodeId } = this.options
    return link.call(BrokerHeartbeat, {
      brokerId: nodeId,
      brokerEpoch: BigInt(epoch),
      currentMetadataOffset: BigInt(metadataOffset()),
      wantFence: !isReady(),
      wantShutDown
    })
  }

  private stands(fenced: boolean): Effect.Effect<void> {
    if (fenced === this.fenced) return Effect.void
    this.fenced = fenced
    if (fenced) return Effect.logWarning(`${this.name} is fenced by the leader: it serves no partition until the leader unfences it.`)
    // The first time, the program that started this broker says that it is ready.
    const line = `${this.name} is unfenced and serves.`
    const said = this.hasServed ? Effect.logInfo(line) : Effect.logDebug(line)
    this.hasServed = true
    return said
  }

  /** Tells the leader that this broker stops, on the connection on which the leader knows it. */
  private goodbye(link: Link): Effect.Effect<void> {
    return Effect.suspend(() => (this.epoch === undefined ? Effect.void : this.heartbeat(link, this.epoch, true))).pipe(
      Effect.timeout(`${leaveMs} millis`),
      Effect.ignore
    )
  }
}

export const makeRegistration = (options: RegistrationOptions): Effect.Effect<Registration> =>
  Effect.map(Queue.sliding<void>(1), (nudges) => {
    const session = new Session(options, nudges)
    options.contact.identify = session.show
    return {
      epoch: () => session.epoch,
      run: options.contact.keep("registration", session.over),
      nudge: () => void nudges.unsafeOffer(undefined)
    }
  })
