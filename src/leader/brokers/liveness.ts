import { type Clock, Effect, Either, HashMap, LogLevel, Schedule } from "effect"
import { idleBrokerMs } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { type Broker, type Cluster, isIdle, liveBrokers } from "../../../domain/cluster/state.ts"
import type { BrokerId, Epoch } from "../../../domain/kernel/id.ts"
import type { CommandIdFactory } from "../../stream/command-ids.ts"
import type { ClusterWriter } from "../journal/cluster-aggregate.ts"
import type { Brokers } from "./brokers.ts"

const nanosPerMs = 1_000_000n

/**
 * When each broker sent its last heartbeat, by the monotonic clock. Not journalled: a new leader gives every broker a new session, since the broker's silence may have
 * been the old leader's. A timer gives suspicion only; the epoch in the command makes sure that it fences the process that was meant.
 */
export class Sessions {
  private readonly lastNs = new Map<BrokerId, { readonly epoch: Epoch; readonly at: bigint }>()
  private lookedNs: bigint | undefined

  constructor(
    private readonly clock: Clock.Clock,
    private readonly timeoutMs: number
  ) {}

  record(broker: BrokerId, epoch: Epoch): void {
    this.lastNs.set(broker, { epoch, at: this.clock.unsafeCurrentTimeNanos() })
  }

  /** The broker is registered no longer. */
  forget(broker: BrokerId): void {
    this.lastNs.delete(broker)
  }

  /**
   * When this process itself was stopped for a while, heartbeats wait unread in its sockets: that time does not count as the brokers' silence.
   */
  private forgiveOwnPause(now: bigint): void {
    const usualNs = BigInt(this.lookEveryMs) * nanosPerMs
    const pauseNs = this.lookedNs === undefined ? 0n : now - this.lookedNs - usualNs
    this.lookedNs = now
    if (pauseNs <= usualNs) return
    for (const [broker, { at, epoch }] of this.lastNs) this.lastNs.set(broker, { epoch, at: at + pauseNs > now ? now : at + pauseNs })
  }

  /** Returns the unfenced brokers without a heartbeat for the whole session. The session of a broker without any heartbeat under its epoch begins now. */
  expired(cluster: Cluster): ReadonlyArray<Broker> {
    const now = this.clock.unsafeCurrentTimeNanos()
    this.forgiveOwnPause(now)
    const silent: Array<Broker> = []
    for (const broker of liveBrokers(cluster)) {
      const last = this.lastNs.get(broker.id)
      if (last === undefined || last.epoch !== broker.epoch) this.record(broker.id, broker.epoch)
      else if (now - last.at >= BigInt(this.timeoutMs) * nanosPerMs) silent.push(broker)
    }
    return silent
  }

  /** Returns the fenced brokers that hold no partition and sent no heartbeat for long: their registrations are of no use. */
  forgettable(cluster: Cluster): ReadonlyArray<Broker> {
    const now = this.clock.unsafeCurrentTimeNanos()
    const idle: Array<Broker> = []
    for (const broker of HashMap.values(cluster.brokers)) {
      if (!broker.fenced || !isIdle(cluster, broker.id)) continue
      const last = this.lastNs.get(broker.id)
      if (last === undefined || last.epoch !== broker.epoch) this.record(broker.id, broker.epoch)
      else if (now - last.at >= BigInt(idleBrokerMs) * nanosPerMs) idle.push(broker)
    }
    return idle
  }

  /** How often to look, ms: a silent broker is fenced at most this much late. */
  get lookEveryMs(): number {
    return Math.min(500, Math.max(1, Math.floor(this.timeoutMs / 8)))
  }
}

/** Gives the same kind of command about several brokers; returns the brokers that it changed. */
const giveAll = (writer: ClusterWriter, commandIds: CommandIdFactory, brokers: ReadonlyArray<Broker>, cause: string, command: (broker: Broker) => Command) =>
  Effect.gen(function* () {
    if (brokers.length === 0) return []
    const outcomes = yield* writer.submitAll(brokers.map((broker) => ({ command: command(broker), commandId: commandIds.own(), actor: "leader", cause })))
    return brokers.filter((_, at) => {
      const outcome = outcomes[at]
      return outcome !== undefined && Either.isRight(outcome) && outcome.right.events.length > 0
    })
  })

const fenceSilent = (writer: ClusterWriter, { changes, sessions }: Brokers, commandIds: CommandIdFactory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const silent = sessions.expired(writer.state())
    const fence = ({ epoch, id }: Broker) => Command.FenceBroker({ brokerId: id, brokerEpoch: epoch })
    for (const { host, id, port } of yield* giveAll(writer, commandIds, silent, "session timeout", fence)) {
      const name = `broker ${id} at ${host}:${port}`
      yield* changes.log(LogLevel.Warning, name, `${name} is silent: fenced, its partitions have no leader until it registers again`)
    }
  })

const forgetIdle = (writer: ClusterWriter, { links, sessions }: Brokers, commandIds: CommandIdFactory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const idle = sessions.forgettable(writer.state()).filter(({ id }) => !links.isConnected(id))
    const forget = ({ epoch, id }: Broker) => Command.ForgetBroker({ brokerId: id, brokerEpoch: epoch })
    const gone = yield* giveAll(writer, commandIds, idle, "idle registration", forget)
    if (gone.length > 0)
      yield* Effect.logInfo(
        `removed ${gone.length} registrations of brokers without partitions that sent no heartbeat for ${idleBrokerMs / 60_000} minutes: ${shown(gone)}`
      )
  })

/** Ids that a line names. */
const shownMax = 10
const shown = (brokers: ReadonlyArray<Broker>): string =>
  `${brokers
    .slice(0, shownMax)
    .map(({ id }) => id)
    .join(", ")}${brokers.length > shownMax ? " …" : ""}`

/** How often the changes of brokers that were not logged are summed up, ms. */
const summaryEveryMs = 60_000

/** Fences brokers whose session is over, and removes idle registrations, for as long as it runs. */
export const watch = (writer: ClusterWriter, brokers: Brokers, commandIds: CommandIdFactory): Effect.Effect<never> => {
  const look = Effect.zipRight(fenceSilent(writer, brokers, commandIds), forgetIdle(writer, brokers, commandIds))
  const summarize = Effect.zipRight(brokers.changes.logSummaries(LogLevel.Warning), brokers.refusals.logSummaries(LogLevel.Warning))
  const both = Effect.zip(Effect.schedule(look, Schedule.spaced(brokers.sessions.lookEveryMs)), Effect.schedule(summarize, Schedule.spaced(summaryEveryMs)), {
    concurrent: true
  })
  return Effect.zipRight(both, Effect.never)
}
