import type { BrokerId } from "../../../domain/kernel/id.ts"
import type { Broker } from "./broker.ts"
import { Operator } from "./operator.ts"
import { partitionIn } from "./partitions.ts"
import type { PlannedStep } from "./plan.ts"
import type { World } from "./world.ts"

/** Does the steps of a plan, each at its time. */
export class Faults {
  readonly operator: Operator
  /** Faults that were done. */
  done = 0

  constructor(private readonly world: World) {
    this.operator = new Operator(world)
  }

  begin(): void {
    const { options, queue } = this.world
    for (const step of options.plan) queue.at(step.at, () => this.act(step))
  }

  private act(step: PlannedStep): void {
    if (this.world.isResting) return
    this.done++
    this.world.note(() => `step: ${JSON.stringify(step)}`)
    if (this.operator.isMine(step.kind)) return this.operator.act(step.kind, step.pick)
    switch (step.kind) {
      case "kill":
      case "power cut":
      case "shutdown":
      case "wipe":
      case "pause":
        return this.process(step.kind, this.world.brokers[step.broker], step.forMs)
      case "slow image":
      case "slow disk":
      case "lost AlterPartition answers":
        return this.slow(step.kind, this.world.brokers[step.broker], step.forMs)
      case "cut":
      case "one-way cut":
        return this.cut(step.from, step.to, step.forMs, step.kind === "cut")
      case "isolate":
        for (const { id } of this.world.candidates) this.cut(step.broker, id, step.forMs, true)
        return
      case "damage":
        return this.damage(this.world.brokers[step.broker], step.pick)
      case "candidate killed":
      case "candidate paused":
        return this.candidate(step.kind === "candidate killed", step.candidate, step.forMs)
      case "kill leader":
      case "pause leader":
      case "power cut of an in-sync set":
        return this.partition(step.kind, step.pick, step.forMs)
      default:
        return
    }
  }

  private cut(from: number, to: number, forMs: number, isBoth: boolean): void {
    const until = this.world.queue.now + forMs
    this.world.network.cut(from, to, until)
    if (isBoth) this.world.network.cut(to, from, until)
  }

  private slow(kind: "slow image" | "slow disk" | "lost AlterPartition answers", broker: Broker | undefined, forMs: number): void {
    const until = this.world.queue.now + forMs
    if (broker === undefined) return
    if (kind === "slow image") broker.slowImageUntil = until
    else if (kind === "slow disk") broker.slowDiskUntil = until
    else broker.losesAnswersUntil = until
  }

  private process(kind: "kill" | "power cut" | "shutdown" | "wipe" | "pause", broker: Broker | undefined, forMs: number): void {
    const { queue } = this.world
    if (broker === undefined || !broker.isUp) return
    if (kind === "pause") {
      broker.pausedUntil = Math.max(broker.pausedUntil, queue.now + forMs)
      return
    }
    if (kind === "shutdown") {
      broker.isLeaving = true
      if (broker.epoch >= 0) broker.beat()
      const { life } = broker
      return queue.after(forMs + 3000, () => broker.life === life && this.world.restart(broker, 10))
    }
    // A disk that loses what it called synced is survived where another one has it.
    if (kind === "wipe" && [...broker.logs.keys()].every((key) => this.isSpare(broker, key))) {
      broker.stop(false)
      broker.wipe()
    } else if (kind === "power cut" && (!broker.lies || [...broker.logs.keys()].every((key) => this.isSpare(broker, key)))) broker.powerCut()
    else broker.stop(false)
    this.world.note(() => `broker ${broker.id} is down`)
    this.world.restart(broker, forMs)
  }

  /** Whether another broker that runs has all that the cluster counts on this one for. */
  private isSpare(broker: Broker, key: number): boolean {
    const { brokers, journal, partitions } = this.world
    const known = partitions.of(key)
    const partition = partitionIn(journal.state, known)
    if (partition === undefined || known.isRemoved) return true
    if (!partition.replicas.includes(broker.id)) return true
    if (!partition.isr.includes(broker.id) && !partition.elr.includes(broker.id)) return partition.replicas.length > 1
    const has = (id: BrokerId): boolean => {
      const other = brokers[id]
      return other?.isUp === true && other.pausedUntil <= this.world.queue.now && !other.lies && !other.failed.has(key) && !known.lostBy.has(id)
    }
    return partition.isr.some((id) => id !== broker.id && has(id))
  }

  private damage(broker: Broker | undefined, pick: number): void {
    if (broker === undefined || !broker.isUp) return
    const keys = [...broker.replicas.keys()].filter((key) => this.isSpare(broker, key))
    const key = keys[pick % keys.length]
    if (key !== undefined) broker.damage(key)
  }

  private candidate(isKilled: boolean, at: number, forMs: number): void {
    const candidate = this.world.candidates[at]
    if (candidate === undefined || !candidate.isUp) return
    if (!isKilled) candidate.pausedUntil = Math.max(candidate.pausedUntil, this.world.queue.now + forMs)
    else {
      candidate.stop()
      this.world.queue.after(forMs, () => candidate.isUp || candidate.start())
    }
  }

  private partition(kind: "kill leader" | "pause leader" | "power cut of an in-sync set", pick: number, forMs: number): void {
    const { brokers, journal, options, partitions } = this.world
    const known = partitions.present[pick % Math.max(1, partitions.present.length)]
    const partition = known === undefined ? undefined : partitionIn(journal.state, known)
    if (partition === undefined) return
    if (kind === "power cut of an in-sync set")
      for (const id of partition.isr) this.process(brokers[id]?.lies === true ? "kill" : "power cut", brokers[id], forMs)
    else if (partition.leader !== -1)
      this.process(
        kind === "kill leader" ? "kill" : "pause",
        brokers[partition.leader],
        kind === "kill leader" ? forMs : Math.max(forMs, options.sessionMs * 1.5)
      )
  }
}
