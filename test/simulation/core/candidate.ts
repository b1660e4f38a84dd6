import { Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { knownEventLevel, raisableEventLevel } from "../../../domain/cluster/event-level.ts"
import { inSyncSetFault } from "../../../domain/cluster/replication/in-sync.ts"
import { brokerOf, type Cluster, initial } from "../../../domain/cluster/state.ts"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Node } from "./node.ts"
import type { World } from "./world.ts"

type AlterInSyncSets = Extract<Command, { readonly _tag: "AlterInSyncSets" }>

/** What became of a command. */
export type Submitted = { readonly error: KafkaError } | { readonly events: ReadonlyArray<Event> }

const tickMs = 250

/** A node that may lead the cluster: it decides commands, appends their events to the journal, and fences silent brokers. */
export class Candidate implements Node {
  isUp = false
  life = 0
  pausedUntil = 0
  /** The epoch under which it believes to lead; -1: it does not. */
  private epoch = -1
  /** The fold of the journal as far as it knows it. */
  cluster: Cluster = initial
  private readonly heard = new Map<number, number>()
  private renewedAt = 0
  /** When it last knew that it holds the lease. */
  private heldAt = 0

  constructor(
    private readonly world: World,
    readonly id: number
  ) {}

  /** Past its lease it answers nothing: another candidate may lead by then. */
  get leads(): boolean {
    const { options, queue, rules } = this.world
    return this.epoch >= 0 && (!rules.checksLease || queue.now - this.heldAt <= options.leaseMs)
  }

  start(): void {
    this.isUp = true
    this.life++
    this.epoch = -1
    this.tick()
  }
  stop(): void {
    this.isUp = false
    this.epoch = -1
  }

  /** Decides a command. A leader that was deposed notices when the journal refuses its events. */
  submit(command: Command): Submitted {
    const { journal, rules } = this.world
    if (!this.leads) return { error: "NOT_CONTROLLER" }
    const asked = rules.commanded(this.cluster, command)
    const decided = decide(this.cluster, asked)
    if (Either.isLeft(decided)) return { error: decided.left.error }
    const events = rules.decided(this.cluster, decided.right)
    if (events.length === 0) return { events }
    if (this.epoch !== journal.epoch && rules.fencesJournal) {
      this.world.note(() => `leader ${this.id} of epoch ${this.epoch} is refused by the journal: ${journal.epoch} leads`)
      this.epoch = -1
      return { error: "NOT_CONTROLLER" }
    }
    journal.append(events, asked, this.epoch)
    this.cluster = journal.state
    for (const broker of this.world.brokers) if (broker.contact === this) this.pushImage(broker.id)
    return { events }
  }

  /** AlterPartition: the error of each partition, in the order of the request. */
  alter(command: AlterInSyncSets): ReadonlyArray<KafkaError> {
    const before = this.cluster
    const asked = this.world.rules.commanded(before, command) as AlterInSyncSets
    const submitted = this.submit(command)
    if ("error" in submitted) return command.partitions.map(() => submitted.error)
    return asked.partitions.map((request) => inSyncSetFault(before, command.brokerId, request)?.error ?? "NONE")
  }

  /** A broker's heartbeat, or its registration: it lives. */
  hear(brokerId: number): void {
    this.heard.set(brokerId, this.world.queue.now)
  }

  /** Sends a broker the part of the journal that it lacks. */
  pushImage(brokerId: number): void {
    const { brokers, network, queue } = this.world
    const broker = brokers[brokerId]
    if (broker === undefined || !this.leads) return
    const { index } = this.cluster
    const slowMs = broker.slowImageUntil > queue.now ? 200 + this.world.chance.below(3000) : 0
    network.send(this, broker, () => broker.receiveImage(index), slowMs)
  }

  private tick(): void {
    const { journal, network, queue } = this.world
    if (this.epoch >= 0 && this.epoch === journal.epoch) this.hold()
    else if (!this.leads && this.world.leaseUntil <= queue.now) this.campaign()
    else if (!this.leads) this.epoch = -1
    if (this.leads) this.lead()
    network.timer(this, tickMs, () => this.tick())
  }

  private hold(): void {
    this.heldAt = this.world.queue.now
    this.world.leaseUntil = this.heldAt + this.world.options.leaseMs
  }

  private campaign(): void {
    const { journal, queue } = this.world
    this.epoch = ++journal.epoch
    this.cluster = journal.state
    this.heard.clear()
    this.renewedAt = queue.now
    this.hold()
    this.world.note(() => `leader ${this.id} leads the cluster under epoch ${this.epoch}`)
    this.submit(Command.FoundCluster({ clusterId: "simulated" }))
    this.submit(Command.ElectLeader({ nodeId: this.id as never, host: `leader-${this.id}`, port: 9092, epoch: this.epoch }))
  }

  /** A new leader gives every broker a fresh session. */
  private lead(): void {
    const { options, queue, sometimes } = this.world
    for (const broker of this.world.brokers) {
      const registered = brokerOf(this.cluster, broker.id)
      if (registered === undefined || registered.fenced) continue
      const heardAt = Math.max(this.heard.get(broker.id) ?? 0, this.renewedAt)
      if (queue.now - heardAt <= options.sessionMs) continue
      if (broker.isUp) sometimes.hit("a live broker was fenced")
      this.submit(Command.FenceBroker({ brokerId: registered.id, brokerEpoch: registered.epoch }))
    }
    const level = raisableEventLevel(this.cluster, knownEventLevel)
    if (level !== undefined && this.cluster.eventLevel < level) this.submit(Command.RaiseEventLevel({ level }))
  }
}
