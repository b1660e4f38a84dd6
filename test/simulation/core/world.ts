import type { Command } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { Chance } from "../chance.ts"
import { Broker } from "./broker.ts"
import { Candidate } from "./candidate.ts"
import { Checks } from "./checks.ts"
import { Journal } from "./journal.ts"
import { Network } from "./network.ts"
import type { CoreOptions } from "./options.ts"
import { Partitions } from "./partitions.ts"
import { EventQueue } from "./queue.ts"
import type { Rules } from "./rules.ts"
import { Sometimes } from "./sometimes.ts"

/** A cluster with its clients as data: what happens next depends on the options alone. */
export class World {
  readonly queue = new EventQueue()
  readonly chance: Chance
  readonly network: Network
  readonly journal: Journal
  readonly partitions = new Partitions()
  readonly checks: Checks
  readonly sometimes = new Sometimes()
  readonly candidates: ReadonlyArray<Candidate>
  readonly brokers: ReadonlyArray<Broker>
  /** Until then the leader of the cluster holds its lease. */
  leaseUntil = 0
  /** Whether faults have ended: nothing is killed any more, and what ends by itself starts again. */
  isResting = false
  readonly lines: Array<string> = []
  private hash = 0
  private drawnNumbers = 0

  constructor(
    readonly options: CoreOptions,
    readonly rules: Rules,
    private readonly keepsLines: boolean
  ) {
    this.chance = new Chance(options.seed * 7919 + 3)
    this.network = new Network(this.queue, this.chance.fork(), options)
    this.checks = new Checks(this)
    this.journal = new Journal((before, event, after, command, epoch) => this.happened(before, event, after, command, epoch))
    this.candidates = Array.from({ length: options.candidates }, (_, at) => new Candidate(this, 100 + at))
    this.brokers = options.racks.map((rack, id) => new Broker(this, id as BrokerId, rack, options.lying.includes(id)))
  }

  get lastNumber(): number {
    return this.drawnNumbers
  }
  /** A number that no other record has. */
  nextNumber(): number {
    return ++this.drawnNumbers
  }

  /** Notes what happens, for a run that is looked at. */
  note(line: () => string): void {
    if (this.keepsLines) this.lines.push(`${(this.queue.now / 1000).toFixed(3)} ${line()}`)
  }
  /** Adds to the fingerprint of the run. */
  mix(one: number, other: number): void {
    this.hash = Math.imul(this.hash ^ this.queue.now ^ (one << 16), 0x9e3779b1)
    this.hash = Math.imul(this.hash ^ (this.hash >>> 15) ^ other, 0x85ebca6b)
  }
  get fingerprint(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0")
    return `${hex(this.hash)}${hex(this.queue.ran)}`
  }

  restart(broker: Broker, ms: number): void {
    if (broker.isUp) broker.stop(false)
    this.queue.after(ms, () => broker.isUp || broker.start())
  }
  /** A broker has shut down; it starts again when its fault ends. */
  stopCleanly(broker: Broker): void {
    this.note(() => `broker ${broker.id} has shut down`)
    this.sometimes.hit("a broker shut down and gave its leaderships away")
    broker.stop(true)
  }

  private happened(before: Cluster, event: Event, after: Cluster, command: Command, epoch: number): void {
    const { partitions } = this
    if (event._tag === "PartitionPlaced" && partitions.find(event.topicId, event.partition) === undefined) {
      for (const [topicId, { name }] of after.topics)
        if (topicId === event.topicId) partitions.add(topicId, name, event.partition, after.index, event.replicas.length > 1 ? event.isr : [])
    }
    if (event._tag === "TopicRemoved") {
      for (const known of partitions.present)
        if (known.topicId === event.topicId) {
          known.isRemoved = true
          if (this.brokers.some((broker) => !broker.isUp && broker.logs.has(known.key))) this.sometimes.hit("a topic was removed while a replica was down")
        }
    }
    this.checks.event(before, event, after, command, epoch)
  }
}
