import { type Clock, Effect, Either, HashMap } from "effect"
import { idleBrokerMs } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { type Broker, type Cluster, isIdle, liveBrokers } from "../../../domain/cluster/state.ts"
import type { BrokerId, Epoch } from "../../../domain/kernel/id.ts"
import type { CommandIdFactory } from "../../stream/command-ids.ts"
import type { ClusterWriter } from "../journal/cluster-aggregate.ts"
import { brokerLinesMs } from "./broker-lines.ts"
import type { Brokers } from "./brokers.ts"

const nanosPerMs = 1_000_000n

/**
 * When each broker was last heard of, by the monotonic clock. Not journalled: a new leader gives every broker a fresh session, since its silence may have
 * been the old leader's. A timer gives suspicion only; the epoch in the command makes sure that it hits the process that was meant.
 */
export class Sessions {
  private readonly heardNs = new Map<BrokerId, { readonly epoch: Epoch; readonly at: bigint }>()
  private lookedNs: bigint | undefined

  constructor(
    private readonly clock: Clock.Clock,
    private readonly timeoutMs: number
  ) {}

  heard(broker: BrokerId, epoch: Epoch): void {
    this.heardNs.set(broker, { epoch, at: this.clock.unsafeCurrentTimeNanos() })
  }

  /**
   * When this process itself was stopped for a while, heartbeats wait in its sockets unread, and the brokers' silence is its own: that time does not count.
   */
  private forgiveOwnPause(now: bigint): void {
    const usualNs = BigInt(this.lookEveryMs) * nanosPerMs
    const pauseNs = this.lookedNs === undefined ? 0n : now - this.lookedNs - usualNs
    this.lookedNs = now
    if (pauseNs <= usualNs) return
    for (const [broker, { at, epoch }] of this.heardNs) this.heardNs.set(broker, { epoch, at: at + pauseNs > now ? now : at + pauseNs })
  }

  /** The unfenced brokers that were silent for the whole session. One that was never heard of under its epoch is heard of now. */
  expired(cluster: Cluster): ReadonlyArray<Broker> {
    const now = this.clock.unsafeCurrentTimeNanos()
    this.forgiveOwnPause(now)
    const silent: Array<Broker> = []
    for (const broker of liveBrokers(cluster)) {
      const last = this.heardNs.get(broker.id)
      if (last === undefined || last.epoch !== broker.epoch) this.heard(broker.id, broker.epoch)
      else if (now - last.at >= BigInt(this.timeoutMs) * nanosPerMs) silent.push(broker)
    }
    for (const id of this.heardNs.keys()) if (!HashMap.has(cluster.brokers, id)) this.heardNs.delete(id)
    return silent
  }

  /** The brokers that serve nothing, carry nothing and were not heard of for long: there is nothing to keep of them. */
  forgettable(cluster: Cluster): ReadonlyArray<Broker> {
    const now = this.clock.unsafeCurrentTimeNanos()
    const idle: Array<Broker> = []
    for (const broker of HashMap.values(cluster.brokers)) {
      if (!broker.fenced || !isIdle(cluster, broker.id)) continue
      const last = this.heardNs.get(broker.id)
      if (last === undefined || last.epoch !== broker.epoch) this.heard(broker.id, broker.epoch)
      else if (now - last.at >= BigInt(idleBrokerMs) * nanosPerMs) idle.push(broker)
    }
    return idle
  }

  /** How often to look, ms: a silent broker is fenced at most this much late. */
  get lookEveryMs(): number {
    return Math.min(500, Math.max(1, Math.floor(this.timeoutMs / 8)))
  }
}

/** Gives the same kind of command about several brokers; answers those with which it did something. */
const giveAll = (writer: ClusterWriter, commandIds: CommandIdFactory, brokers: ReadonlyArray<Broker>, cause: string, command: (broker: Broker) => Command) =>
  Effect.gen(function* () {
    if (brokers.length === 0) return []
    const outcomes = yield* writer.submitAll(brokers.map((broker) => ({ command: command(broker), commandId: commandIds.own(), actor: "leader", cause })))
    return brokers.filter((_, at) => {
      const outcome = outcomes[at]
      return outcome !== undefined && Either.isRight(outcome) && outcome.right.events.length > 0
    })
  })

const fenceSilent = (writer: ClusterWriter, { lines, sessions }: Brokers, commandIds: CommandIdFactory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const silent = sessions.expired(writer.state())
    const fence = ({ epoch, id }: Broker) => Command.FenceBroker({ brokerId: id, brokerEpoch: epoch })
    for (const { host, id, port } of yield* giveAll(writer, commandIds, silent, "session timeout", fence)) {
      const name = `broker ${id} at ${host}:${port}`
      yield* lines.say(id, name, Effect.logWarning(`${name} is silent: fenced, its partitions have no leader until it is back`))
    }
  })

const forgetIdle = (writer: ClusterWriter, { links, sessions }: Brokers, commandIds: CommandIdFactory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const idle = sessions.forgettable(writer.state()).filter(({ id }) => !links.isConnected(id))
    const forget = ({ epoch, id }: Broker) => Command.ForgetBroker({ brokerId: id, brokerEpoch: epoch })
    const gone = yield* giveAll(writer, commandIds, idle, "idle registration", forget)
    if (gone.length > 0)
      yield* Effect.logInfo(
        `${gone.length} registrations of brokers without partitions, of which nothing was heard for ${idleBrokerMs / 60_000} minutes, are gone: ${shown(gone)}`
      )
  })

/** So many ids that a line stays a line. */
const shownMax = 10
const shown = (brokers: ReadonlyArray<Broker>): string =>
  `${brokers
    .slice(0, shownMax)
    .map(({ id }) => id)
    .join(", ")}${brokers.length > shownMax ? " …" : ""}`

/** Fences brokers whose session is over, and forgets those that left nothing behind, for as long as it runs. */
export const watch = (writer: ClusterWriter, brokers: Brokers, commandIds: CommandIdFactory): Effect.Effect<never> => {
  const look = Effect.zipRight(
    Effect.sleep(brokers.sessions.lookEveryMs),
    Effect.zipRight(fenceSilent(writer, brokers, commandIds), forgetIdle(writer, brokers, commandIds))
  )
  return Effect.zipLeft(Effect.forever(look), Effect.forever(Effect.delay(brokers.lines.turn, brokerLinesMs)), { concurrent: true })
}
