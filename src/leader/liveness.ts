import { type Clock, Effect, Either, HashMap } from "effect"
import { Command } from "../../domain/cluster/command.ts"
import { type Broker, type Cluster, liveBrokers } from "../../domain/cluster/state.ts"
import type { BrokerId, Epoch } from "../../domain/kernel/id.ts"
import type { ClusterWriter } from "./cluster-aggregate.ts"
import type { CommandIds } from "./command-ids.ts"

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

  /** The brokers that are let in and were silent for the whole session. One that was never heard of under its epoch is heard of now. */
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

  /** How often to look, ms: a silent broker is fenced at most this much late. */
  get lookEveryMs(): number {
    return Math.min(500, Math.max(1, Math.floor(this.timeoutMs / 8)))
  }
}

/** Fences brokers whose session is over, for as long as it runs. */
export const watch = (writer: ClusterWriter, sessions: Sessions, commandIds: CommandIds): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* Effect.sleep(sessions.lookEveryMs)
    const silent = sessions.expired(writer.state())
    if (silent.length === 0) return
    const outcomes = yield* writer.submitAll(
      silent.map(({ id, epoch }) => ({
        command: Command.FenceBroker({ brokerId: id, brokerEpoch: epoch }),
        commandId: commandIds.own(),
        actor: "leader",
        cause: "session timeout"
      }))
    )
    for (const [index, outcome] of outcomes.entries()) {
      const broker = silent[index]
      if (broker === undefined || Either.isLeft(outcome) || outcome.right.events.length === 0) continue
      yield* Effect.logWarning(`broker ${broker.id} at ${broker.host}:${broker.port} is silent: fenced, its partitions have no leader until it is back`)
    }
  }).pipe(Effect.forever)
