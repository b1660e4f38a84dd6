import { topicById } from "../../../domain/cluster/state.ts"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import { client, type Node } from "./node.ts"
import type { KnownPartition } from "./partitions.ts"
import type { Produced } from "./replica.ts"
import type { World } from "./world.ts"

const inFlightMax = 3
const timeoutMs = 2000

/** What a producer does in one partition: an idempotent session. */
interface Session {
  readonly known: KnownPartition
  producerId: bigint
  nextSequence: number
  leader: number
  waiting: Array<Produced & { sentAt: number }>
  refusals: number
}

/** A client that finds the leader of a partition by the image of any broker that answers. */
export const leaderBy = (world: World, { index, topicId }: KnownPartition): number | undefined => {
  const from = world.brokers[world.chance.below(world.brokers.length)]
  if (from === undefined || !from.isUp || from.pausedUntil > world.queue.now) return undefined
  const leader = topicById(from.image, topicId)?.partitions.at(index)?.leader
  return leader === undefined || leader === -1 ? undefined : leader
}

/** An idempotent producer: up to three records in flight in each partition, and retries in order. */
export class Producer {
  private readonly node: Node
  private readonly sessions = new Map<number, Session>()
  private isOver = false

  constructor(
    private readonly world: World,
    id: number,
    private readonly acks: "all" | "leader",
    private readonly everyMs: number
  ) {
    this.node = client(200 + id)
  }

  start(): void {
    this.tick()
  }
  /** Sends nothing new. */
  end(): void {
    this.isOver = true
  }
  /** Records without an answer, of partitions that are still there. */
  get waiting(): number {
    let count = 0
    for (const { known, waiting } of this.sessions.values()) if (!known.isRemoved) count += waiting.length
    return count
  }

  private tick(): void {
    const { chance, network, partitions, queue } = this.world
    if (!this.isOver && partitions.present.length > 0) this.produce(chance.pick(partitions.present))
    for (const session of this.sessions.values()) {
      const [first] = session.waiting
      if (first === undefined || session.known.isRemoved || queue.now - first.sentAt < timeoutMs) continue
      session.leader = leaderBy(this.world, session.known) ?? session.leader
      this.sendAll(session)
    }
    network.timer(this.node, Math.max(1, Math.floor(this.everyMs / 2) + chance.below(this.everyMs)), () => this.tick())
  }

  private session(known: KnownPartition): Session {
    const found = this.sessions.get(known.key)
    if (found !== undefined) return found
    const made: Session = { known, producerId: this.nextId(), nextSequence: 0, leader: 0, waiting: [], refusals: 0 }
    this.sessions.set(known.key, made)
    return made
  }
  private nextId(): bigint {
    return BigInt(this.world.nextNumber())
  }

  private produce(known: KnownPartition): void {
    const session = this.session(known)
    if (session.waiting.length >= inFlightMax) return
    const sequence = session.nextSequence++
    const record = {
      number: this.world.nextNumber(),
      acks: this.acks,
      hasProducerId: true,
      producerId: session.producerId,
      producerEpoch: 0,
      baseSequence: sequence,
      lastSequence: sequence,
      isControl: false,
      maxTimestamp: 0,
      sentAt: 0
    }
    session.waiting.push(record)
    this.send(session, record)
  }

  private sendAll(session: Session): void {
    for (const record of session.waiting) this.send(session, record)
  }

  private send(session: Session, record: Produced & { sentAt: number }): void {
    const { network, queue } = this.world
    const broker = this.world.brokers[session.leader]
    if (broker === undefined) return
    record.sentAt = queue.now
    network.send(this.node, broker, () => {
      const reply = (error: KafkaError) => network.send(broker, this.node, () => this.answered(session, record, error))
      const replica = broker.replicas.get(session.known.key)
      if (replica === undefined) reply("NOT_LEADER_OR_FOLLOWER")
      else replica.produce(record, ({ error }) => reply(error))
    })
  }

  private answered(session: Session, record: Produced, error: KafkaError): void {
    const at = session.waiting.findIndex((each) => each === record)
    if (at < 0) return
    if (error === "NONE") {
      session.waiting.splice(at, 1)
      session.refusals = 0
      return
    }
    // Those behind a record that has no answer yet wait for it.
    if (at > 0) return
    if (error === "OUT_OF_ORDER_SEQUENCE_NUMBER" && ++session.refusals > 8) return this.begin(session)
    const { network } = this.world
    session.waiting[0] = Object.assign(session.waiting[0] as Produced & { sentAt: number }, { sentAt: this.world.queue.now })
    network.timer(this.node, 50 + this.world.chance.below(200), () => {
      session.leader = leaderBy(this.world, session.known) ?? session.leader
      if (session.waiting[0] === record) this.sendAll(session)
    })
  }

  /** The log lacks earlier records: with acks of the leader alone they may be lost. A new session begins. */
  private begin(session: Session): void {
    session.producerId = this.nextId()
    session.nextSequence = 0
    session.refusals = 0
    session.waiting = []
  }
}
