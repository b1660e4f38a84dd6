import { Command } from "../../../domain/cluster/command.ts"
import { knownEventLevel } from "../../../domain/cluster/event-level.ts"
import { brokerOf, type Cluster, initial, type Partition, type Topic, topicById } from "../../../domain/cluster/state.ts"
import type { BrokerId, TopicId } from "../../../domain/kernel/id.ts"
import { Alters } from "./alters.ts"
import type { Candidate } from "./candidate.ts"
import type { Node } from "./node.ts"
import { type PartitionKey, partitionIn } from "./partitions.ts"
import { Replica } from "./replica.ts"
import { ReplicaLog } from "./replica-log.ts"
import type { World } from "./world.ts"

const tickMs = 500
/** After so long without an answer a broker asks the next candidate. */
const silenceMs = 1500

const isVouchedFor = ({ elr, isr }: Partition, id: BrokerId): boolean => isr.includes(id) || elr.includes(id)
const hasOtherCopy = ({ elr, isr }: Partition, id: BrokerId): boolean => isr.some((each) => each !== id) || elr.some((each) => each !== id)

/** A broker process with its disk: it registers, follows the journal, and gives its replicas their roles. */
export class Broker implements Node {
  isUp = false
  life = 0
  pausedUntil = 0
  /** Of its registration; -1: it has none in this life. */
  epoch = -1
  image: Cluster = initial
  contact: Candidate
  readonly logs = new Map<number, ReplicaLog>()
  readonly replicas = new Map<number, Replica>()
  readonly alters: Alters
  /** Logs that are missing or damaged, with the leader epoch by the image when that was found. */
  readonly failed = new Map<number, { readonly reason: "missing" | "damage"; readonly leaderEpoch: number }>()
  /** The note on its disk: which logs were made of partitions that were placed behind this index of the journal; -1: none. */
  private notedAt = -1
  private readonly made = new Set<number>()
  isLeaving = false
  slowImageUntil = 0
  slowDiskUntil = 0
  losesAnswersUntil = 0
  /** Whether it stopped with everything synced. */
  private stoppedCleanly = true
  private answeredAt = 0
  private ticks = 0
  private hasBegun = false

  constructor(
    readonly world: World,
    readonly id: BrokerId,
    readonly rack: string | null,
    /** Whether its disk calls records synced that are not (`log.flush.policy=interval` counts them too). */
    readonly lies: boolean
  ) {
    this.contact = world.candidates[0] as Candidate
    this.alters = new Alters(this)
  }

  start(): void {
    const { world } = this
    this.isUp = true
    this.life++
    this.pausedUntil = 0
    this.epoch = -1
    this.image = initial
    this.hasBegun = false
    this.isLeaving = false
    this.answeredAt = world.queue.now
    this.alters.reset()
    world.note(() => `broker ${this.id} starts`)
    this.tick()
  }

  /** The process ends; its disk stays as the page cache has it. */
  stop(isClean: boolean): void {
    this.isUp = false
    this.stoppedCleanly = isClean
    for (const replica of this.replicas.values()) {
      if (isClean) replica.log.durable = replica.log.end
      replica.end()
    }
    this.replicas.clear()
    this.failed.clear()
  }

  /** What was not synced is lost, or a part of it. */
  powerCut(): void {
    const { chance, sometimes } = this.world
    const replicas = [...this.logs]
    this.stop(false)
    for (const [key, log] of replicas) {
      const kept = chance.isTrue(0.5) ? log.durable : chance.between(log.durable, log.end)
      if (kept >= log.end) {
        log.durable = log.synced = log.end
        continue
      }
      sometimes.hit("a power cut took records that were not synced")
      if (this.lies) {
        sometimes.hit("a power cut took records that a lying disk had called synced")
        this.lost(key)
      }
      this.world.note(() => `power cut: broker ${this.id} loses ${this.world.partitions.nameOf(key)}@${kept} to ${log.end - 1}`)
      log.cut(kept, { epochs: false, producers: false, synced: false })
      log.durable = log.synced = kept
    }
  }

  private lost(key: number): void {
    const { journal, lastNumber, partitions } = this.world
    partitions.lost(key, this.id, journal.state, lastNumber)
  }

  wipe(): void {
    for (const key of this.logs.keys()) this.lost(key)
    this.logs.clear()
    this.made.clear()
    if (this.world.rules.losesNotes) this.notedAt = -1
  }

  /** ms that a sync takes now. */
  get syncMs(): number {
    const { chance, options, queue } = this.world
    return chance.between(options.syncMs[0], options.syncMs[1]) * (this.slowDiskUntil > queue.now ? 20 : 1)
  }

  /** Whether the image has this very process as registered. */
  get isSelf(): boolean {
    return this.epoch >= 0 && brokerOf(this.image, this.id)?.epoch === this.epoch
  }

  receiveImage(index: number): void {
    if (index <= this.image.index) return
    const before = this.image
    this.image = this.world.journal.states[index] as Cluster
    this.world.mix(this.id, index)
    if (this.hasBegun || this.isSelf || !this.world.rules.waitsForRegistration) this.react(before)
  }

  /** Gives each replica the role that the image has for it. */
  private react(before: Cluster): void {
    const { image } = this
    const isFirst = !this.hasBegun
    this.hasBegun = true
    if (this.notedAt < 0) this.notedAt = image.index
    if (!isFirst && before.topics === image.topics && before.brokers === image.brokers && before.nodeConfigs === image.nodeConfigs) return
    for (const key of this.world.partitions.keysOf(image)) {
      const { index, topicId } = this.world.partitions.of(key)
      const topic = topicById(image, topicId)
      const partition = topic?.partitions.at(index)
      if (topic === undefined || partition === undefined || !partition.replicas.includes(this.id)) this.remove(key)
      else {
        const wasPlaced = !isFirst && topicById(before, topicId)?.partitions.at(index)?.replicas.includes(this.id) === true
        this.assign(key, topic, partition, !isFirst && !wasPlaced)
      }
    }
  }

  private assign(key: number, topic: Topic, partition: Partition, isNew: boolean): void {
    const replica = this.replicas.get(key) ?? this.open(key, partition, isNew)
    if (replica === undefined) return
    if (!this.isSelf && this.world.rules.waitsForRegistration) return replica.rest()
    const self = brokerOf(this.image, this.id)
    if (partition.leader === this.id && self !== undefined && (!self.fenced || !this.world.rules.waitsForRegistration)) replica.becomeLeader(topic, partition)
    else if (partition.replicas.length === 1 || partition.leader === -1 || partition.leader === this.id) replica.rest()
    else replica.becomeFollower(partition)
  }

  /**
   * The cluster counts on what the log of a replica has that it names: an empty log is not opened in its place. Where a
   * running broker found the damage, the leader epoch has to rise first: the partition leader may count its last fetch.
   */
  private open(key: number, partition: Partition, isNew: boolean): Replica | undefined {
    const { rules } = this.world
    const stored = this.logs.get(key)
    const failed = this.failed.get(key)
    const isMissing = stored === undefined && !isNew && partition.replicas.length > 1 && rules.disownsMissingLogs
    const isUnmade = isMissing && this.isUnmade(key)
    const isLost = stored?.isDamaged === true || (isMissing && !isUnmade)
    const isCounted = failed !== undefined && failed.reason === "damage" && rules.waitsForHigherEpoch && partition.leaderEpoch <= failed.leaderEpoch
    if (isLost && (isVouchedFor(partition, this.id) || isCounted)) {
      if (failed === undefined) this.fail(key, stored === undefined ? "missing" : "damage", stored === undefined ? -1 : partition.leaderEpoch)
      return undefined
    }
    if (isUnmade && isVouchedFor(partition, this.id)) this.world.sometimes.hit("a log was missing because its broker had never made it")
    this.failed.delete(key)
    this.made.add(key)
    const log = stored === undefined || stored.isDamaged ? new ReplicaLog() : stored
    this.logs.set(key, log)
    const replica = new Replica(this, key as PartitionKey, log)
    this.replicas.set(key, replica)
    return replica
  }

  /** The broker stopped before it made the log of a partition that was placed on it: it has acknowledged nothing. */
  private isUnmade(key: number): boolean {
    const { firstIsr, placedAt } = this.world.partitions.of(key)
    return placedAt > this.notedAt && !this.made.has(key) && firstIsr.includes(this.id)
  }

  private fail(key: number, reason: "missing" | "damage", leaderEpoch: number): void {
    const { partitions, sometimes } = this.world
    this.failed.set(key, { reason, leaderEpoch })
    // The disk was replaced after the partition was placed on the broker, which never made the log.
    // A damaged log was disowned, and its broker elected uncleanly after that: operators have to elect another one.
    if (!partitions.of(key).lostBy.has(this.id)) this.lost(key)
    sometimes.hit(reason === "missing" ? "a missing log was disowned" : "a damaged log was disowned")
    this.world.note(() => `broker ${this.id} disowns ${partitions.nameOf(key)}: ${reason}`)
  }

  private remove(key: number): void {
    const { partitions } = this.world
    this.replicas.get(key)?.end()
    this.replicas.delete(key)
    this.failed.delete(key)
    const log = this.logs.get(key)
    if (!this.logs.delete(key) || log === undefined) return
    const known = partitions.of(key)
    known.deleted.set(this.id, { log, partitionEpoch: partitionIn(this.image, known)?.partitionEpoch ?? 0 })
    this.world.note(() => `broker ${this.id} deletes its log of ${partitions.nameOf(key)}`)
  }

  /** A log turns out to be damaged while it is open: the replica is closed at once. */
  damage(key: number): void {
    const log = this.logs.get(key)
    const known = this.world.partitions.of(key)
    if (log === undefined) return
    log.isDamaged = true
    this.replicas.get(key)?.end()
    this.replicas.delete(key)
    this.lost(key)
    this.fail(key, "damage", partitionIn(this.image, known)?.leaderEpoch ?? -1)
    if (this.epoch >= 0) this.beat()
  }

  /** Where the network reaches the contact; the other candidate where it is silent. */
  private rotate(): void {
    const { candidates } = this.world
    this.contact = candidates[(candidates.indexOf(this.contact) + 1) % candidates.length] as Candidate
  }

  /** Sends a request to the cluster's leader. Its response comes after the journal is durable, or never. */
  ask<A>(request: (candidate: Candidate) => A, respond: (answer: A) => void, isLost = false): void {
    const { chance, network } = this.world
    const { contact, life } = this
    network.send(this, contact, () => {
      if (!contact.leads) return network.send(contact, this, () => contact === this.contact && this.rotate(), 0, life)
      contact.hear(this.id)
      const answer = request(contact)
      if (!isLost) network.send(contact, this, () => this.answered(answer, respond), chance.between(1, 6), life)
    })
  }
  private answered<A>(answer: A, respond: (answer: A) => void): void {
    this.answeredAt = this.world.queue.now
    respond(answer)
  }

  private tick(): void {
    const { network, queue } = this.world
    if (queue.now - this.answeredAt > silenceMs) {
      this.answeredAt = queue.now
      this.rotate()
    }
    this.ticks++
    if (this.epoch < 0) this.register()
    else this.beat()
    this.alters.remind()
    for (const replica of this.replicas.values()) replica.tick(this.ticks)
    network.timer(this, tickMs, () => this.tick())
  }

  private register(): void {
    const { id, life, rack } = this
    const command = Command.RegisterBroker({
      brokerId: id,
      incarnationId: `${id}-${life}`,
      clusterId: "",
      host: `broker-${id}`,
      port: 9092,
      rack,
      isConnected: false,
      eventLevel: knownEventLevel,
      keepsWhatItAcknowledged: !this.lies || this.stoppedCleanly
    })
    this.ask(
      (candidate) => {
        const submitted = candidate.submit(command)
        return "error" in submitted ? undefined : brokerOf(candidate.cluster, id)?.epoch
      },
      (epoch) => {
        if (epoch === undefined || this.epoch >= 0) return
        this.epoch = epoch
        this.world.note(() => `broker ${id} is registered under broker epoch ${epoch}`)
        if (this.isSelf) this.react(this.image)
        this.beat()
      }
    )
  }

  /** Reports disowned logs first, so that the broker is not unfenced while it counts as in sync for them. */
  beat(): void {
    const { epoch, id, image, isLeaving } = this
    const heartbeat = Command.BrokerHeartbeat({
      brokerId: id,
      brokerEpoch: epoch,
      metadataOffset: image.index - 1,
      wantFence: !this.hasBegun,
      wantShutDown: isLeaving
    })
    const disowns = this.disowned().map((each) => Command.DisownReplicas({ brokerId: id, brokerEpoch: epoch, ...each }))
    this.ask(
      (candidate) => {
        for (const each of disowns) candidate.submit(each)
        const submitted = candidate.submit(heartbeat)
        if (candidate.cluster.index > image.index) candidate.pushImage(id)
        return { error: "error" in submitted ? submitted.error : undefined, isFenced: brokerOf(candidate.cluster, id)?.fenced }
      },
      ({ error, isFenced }) => {
        if (error === "STALE_BROKER_EPOCH" || error === "BROKER_ID_NOT_REGISTERED") this.world.restart(this, 100)
        else if (isLeaving && this.isLeaving && isFenced === true) this.world.stopCleanly(this)
      }
    )
  }

  private disowned() {
    if (this.failed.size === 0) return []
    return (["missing", "damage"] as const).map((reason) => ({ reason, partitions: this.due(reason) })).filter(({ partitions }) => partitions.length > 0)
  }

  private due(reason: "missing" | "damage"): ReadonlyArray<{ readonly topicId: TopicId; readonly partition: number }> {
    const due: Array<{ readonly topicId: TopicId; readonly partition: number }> = []
    for (const [key, failed] of this.failed) {
      const known = this.world.partitions.of(key)
      const placed = partitionIn(this.image, known)
      if (failed.reason !== reason || placed === undefined || placed.replicas.length === 1) continue
      const isDue = isVouchedFor(placed, this.id) ? hasOtherCopy(placed, this.id) : reason === "damage" && placed.leaderEpoch <= failed.leaderEpoch
      if (isDue) due.push({ topicId: known.topicId, partition: known.index })
    }
    return due
  }
}
