import { Either } from "effect"
import type { Partition, Topic } from "../../../domain/cluster/state.ts"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Offset } from "../../../domain/kernel/id.ts"
import { checkSequence, type SequencedBatch } from "../../../domain/log/producer-state.ts"
import { type FetchResponse, type Follow, fetchSent, type NextFetch, wasAppended, wasCut, wasSynced } from "../../../domain/partition/follow.ts"
import { partitionImage } from "../../../domain/partition/image.ts"
import type { Proposal } from "../../../domain/partition/in-sync.ts"
import { hasEnoughInSync, type Lead, type ReplicaFetch } from "../../../domain/partition/lead.ts"
import type { Broker } from "./broker.ts"
import type { PartitionKey } from "./partitions.ts"
import type { ReplicaLog, StoredRecord } from "./replica-log.ts"

/** Records that one response to a fetch has. */
const fetchMax = 50
/** A fetch without a response for so long is sent again. */
const fetchTimeoutMs = 1500

type LeaderResponse = FetchResponse & { readonly error?: KafkaError; readonly records?: ReadonlyArray<StoredRecord> }
type Reply = (answer: LeaderResponse) => void

/** What a producer sends: one record. */
export interface Produced
  extends Pick<SequencedBatch, "hasProducerId" | "producerId" | "producerEpoch" | "baseSequence" | "lastSequence" | "isControl" | "maxTimestamp"> {
  readonly number: number
  readonly acks: "all" | "leader"
}
type ProduceReply = (result: { readonly error: KafkaError } | { readonly error: "NONE"; readonly offset: Offset }) => void

interface Waiter {
  readonly offset: Offset
  readonly record: StoredRecord
  readonly reply: ProduceReply
}

/** A replica of a partition in a broker process: the shell around `domain/partition`. */
export class Replica {
  lead: Lead | undefined
  follow: Follow | undefined
  /** What the replica knows of the high watermark, whatever its role. */
  highWatermark: Offset
  private sentAt = 0
  private fetches = 0
  private hasEnded = false
  private isSyncing = false
  private retryMs = 50
  private cutsInARow = 0
  private waiters: Array<Waiter> = []
  private parked: Array<{ readonly request: ReplicaFetch; readonly reply: Reply }> = []

  constructor(
    readonly broker: Broker,
    readonly key: PartitionKey,
    readonly log: ReplicaLog
  ) {
    this.highWatermark = Math.min(log.checkpointed, log.end)
  }

  private get world() {
    return this.broker.world
  }
  private get rules() {
    return this.broker.world.rules
  }
  /** What counts as durable here. */
  private get durableEnd(): Offset {
    return this.broker.lies ? this.log.end : this.log.synced
  }
  get name(): string {
    return this.world.partitions.nameOf(this.key)
  }

  tick(ticks: number): void {
    const { options, queue } = this.world
    if (this.lead !== undefined && ticks % Math.max(1, Math.floor(options.lagMaxMs / 1000)) === 0)
      this.step(this.rules.tick(this.lead, queue.now, options.lagMaxMs))
    if (this.follow?.isWaiting === true && queue.now - this.sentAt > fetchTimeoutMs + options.fetchWaitMs) {
      this.follow = { ...this.follow, isWaiting: false }
      this.fetch()
    }
    if (ticks % 10 === 0) this.log.checkpointed = this.highWatermark
  }

  // ------------------------------------------------------------------ roles

  becomeLeader(topic: Topic, partition: Partition): void {
    const { image, id } = this.broker
    const now = partitionImage(image, topic.topicId, this.world.partitions.of(this.key).index)
    if (now === undefined) return
    if (this.lead?.epoch === partition.leaderEpoch) return this.step(this.rules.image(this.lead, now, this.world.queue.now))
    this.stopLeading()
    if (this.follow !== undefined) this.fetches = this.follow.fetch
    this.follow = undefined
    const { log } = this
    log.epochs.note(partition.leaderEpoch, log.end)
    this.world.note(() => `broker ${id} leads ${this.name}@${log.end}e${partition.leaderEpoch}, in sync ${now.isr}, high watermark ${this.highWatermark}`)
    const start = { id, end: log.end, syncedEnd: this.durableEnd, highWatermark: this.highWatermark, logStart: 0, at: this.world.queue.now }
    this.world.checks.leads(this.key, partition.leaderEpoch, id)
    this.step(this.rules.lead(now, start))
    this.sync()
  }

  becomeFollower({ leader, leaderEpoch }: Partition): void {
    const { follow, log } = this
    if (follow !== undefined && follow.leader === leader && follow.leaderEpoch === leaderEpoch) return
    this.stopLeading()
    if (follow !== undefined) this.fetches = follow.fetch
    const kept = this.rules.cutOnFollow(log.end, this.highWatermark)
    if (kept < log.end) this.cut(kept)
    this.cutsInARow = 0
    this.retryMs = 50
    if (this.rules.cutsEpochs) log.forgetEmptyEpochs()
    const start = { end: log.end, syncedEnd: this.durableEnd, lastEpoch: log.lastEpoch, highWatermark: this.highWatermark }
    this.follow = this.rules.follow(leader, leaderEpoch, start, this.fetches)
    this.sync()
    this.fetch()
  }

  rest(): void {
    this.stopLeading()
    if (this.follow !== undefined) this.fetches = this.follow.fetch
    this.follow = undefined
  }

  /** The process ends, or the replica is moved away. */
  end(): void {
    this.hasEnded = true
    this.rest()
  }

  private stopLeading(): void {
    if (this.lead === undefined) return
    this.lead = undefined
    const { parked, waiters } = this
    this.parked = []
    this.waiters = []
    for (const { reply } of parked) reply({ _tag: "failed", error: "NOT_LEADER_OR_FOLLOWER" })
    for (const { offset, record, reply } of waiters) {
      if (this.rules.endsWaiters) reply({ error: "NOT_LEADER_OR_FOLLOWER" })
      else this.acknowledge(offset, record, reply, 0)
    }
  }

  // ------------------------------------------------------------------ the leader

  private step(next: Lead): void {
    const before = this.lead
    if (next === before) return
    this.lead = next
    if (before !== undefined && before.epoch === next.epoch && next.highWatermark < before.highWatermark)
      this.world.checks.broken("L7", `the high watermark of ${this.name} falls from ${before.highWatermark} to ${next.highWatermark} under epoch ${next.epoch}`)
    if (next.highWatermark > this.highWatermark) {
      this.highWatermark = next.highWatermark
      this.world.mix(this.key, next.highWatermark)
    }
    if (next.followers.length === 0) this.world.partitions.of(this.key).single = { broker: this.broker.id, highWatermark: next.highWatermark }
    this.committed()
    if (next.proposal !== undefined && next.proposal !== before?.proposal && next.proposal.sent === 0) {
      this.world.note(() => `broker ${this.broker.id} proposes ${next.proposal?.isr} for ${this.name}e${next.epoch}`)
      this.broker.alters.propose()
    }
  }

  private get committedEnd(): Offset {
    return this.lead === undefined ? 0 : this.rules.acknowledgedEnd(this.lead)
  }

  /** Completes what waited for the high watermark; for the sync, with one replica. */
  private committed(): void {
    const { lead, waiters } = this
    if (lead === undefined) return
    const until = this.committedEnd
    let count = 0
    while (count < waiters.length && (waiters[count] as Waiter).offset < until) count++
    if (count > 0) for (const { offset, record, reply } of waiters.splice(0, count)) this.acknowledge(offset, record, reply, this.minIsrOf(offset))
  }

  /** How many disks have what is committed there: one where the partition had one replica then. */
  private minIsrOf(offset: Offset): number {
    return offset < this.world.partitions.of(this.key).single.highWatermark ? 1 : (this.lead?.minIsr ?? 0)
  }

  private acknowledge(offset: Offset, record: StoredRecord, reply: ProduceReply, minIsr: number): void {
    this.world.checks.acknowledged(this, offset, record, minIsr)
    reply({ error: "NONE", offset })
  }

  produce(produced: Produced, reply: ProduceReply): void {
    const { lead, log } = this
    const { sometimes } = this.world
    if (lead === undefined) return reply({ error: "NOT_LEADER_OR_FOLLOWER" })
    if (produced.acks === "all" && !hasEnoughInSync(lead)) {
      sometimes.hit("acks=all was refused below min ISR")
      return reply({ error: "NOT_ENOUGH_REPLICAS" })
    }
    const at = log.end
    const record: StoredRecord = { ...produced, offset: at, epoch: lead.epoch, baseOffset: at, lastOffset: at }
    const check = checkSequence(log.producers, record)
    if (Either.isLeft(check)) return reply({ error: check.left.error })
    if (check.right._tag === "Duplicate") return this.repeated(check.right.first.lastOffset, produced, reply)
    this.append(record)
    this.world.checks.appended(this, record)
    if (produced.acks === "leader") return reply({ error: "NONE", offset: at })
    this.waiters.push({ offset: at, record, reply })
    this.committed()
  }

  /** A record that the log has already is acknowledged when it is committed. */
  private repeated(offset: Offset, { acks, number }: Produced, reply: ProduceReply): void {
    const record = this.log.at(offset)
    const { lead } = this
    if (record?.number !== number)
      return this.world.checks.broken("L1", `broker ${this.broker.id} takes record ${number} for ${this.name}@${offset}, where its log has ${record?.number}`)
    this.world.sometimes.hit("a retry was recognized as a duplicate")
    if (lead === undefined || acks === "leader") return reply({ error: "NONE", offset })
    if (offset < this.committedEnd || !this.rules.waitsForDuplicates)
      return this.acknowledge(offset, record, reply, this.rules.waitsForDuplicates ? 0 : this.minIsrOf(offset))
    this.world.sometimes.hit("a duplicate waited for the high watermark")
    const behind = this.waiters.findIndex((waiter) => waiter.offset > offset)
    this.waiters.splice(behind < 0 ? this.waiters.length : behind, 0, { offset, record, reply })
    this.committed()
  }

  /** Appends what is decided already; for producers, and for the coordinator of groups. */
  append(record: StoredRecord): void {
    const { lead, log } = this
    if (lead === undefined) return
    log.append(record)
    this.world.note(() => `broker ${this.broker.id} appends ${this.name}@${record.offset}e${record.epoch}: record ${record.number}`)
    this.step(this.rules.appended(lead, log.end, this.world.queue.now))
    if (this.broker.lies && this.lead !== undefined) this.step(this.rules.synced(this.lead, log.end))
    this.sync()
    if (this.parked.length === 0) return
    const { parked } = this
    this.parked = []
    for (const each of parked) this.serve(each.request, each.reply)
  }

  /** A fetch of a replica arrives. */
  replicaFetch(request: ReplicaFetch, reply: Reply): void {
    const { lead, log, rules } = this
    if (lead === undefined) return reply({ _tag: "failed", error: "NOT_LEADER_OR_FOLLOWER" })
    const refusal = rules.fetchRefusal(lead, request)
    if (refusal !== undefined) {
      const { sometimes } = this.world
      if (refusal === "FENCED_LEADER_EPOCH") sometimes.hit("a fetch of an old leader epoch was refused")
      if (refusal === "UNKNOWN_LEADER_EPOCH") sometimes.hit("a fetch of an unknown leader epoch was refused")
      if (refusal === "NOT_LEADER_OR_FOLLOWER") sometimes.hit("a fetch of an old broker epoch was refused")
      return reply({ _tag: "failed", error: refusal })
    }
    const diverging = rules.divergence(lead, (epoch) => log.epochs.endOf(epoch, log.end), 0, request)
    if (diverging !== undefined) return reply({ _tag: "diverging", diverging })
    if (request.offset > log.end) return reply({ _tag: "out of range", logStart: 0 })
    this.step(rules.fetched(lead, request, this.world.queue.now))
    if (request.offset < log.end) return this.serve(request, reply)
    const entry = { request, reply }
    this.parked.push(entry)
    this.world.network.timer(this.broker, this.world.options.fetchWaitMs, () => {
      const at = this.parked.indexOf(entry)
      if (at < 0) return
      this.parked.splice(at, 1)
      this.serve(request, reply)
    })
  }

  private serve({ offset }: ReplicaFetch, reply: Reply): void {
    const { lead, log } = this
    if (lead === undefined) return reply({ _tag: "failed", error: "NOT_LEADER_OR_FOLLOWER" })
    const records = log.slice(offset, offset + fetchMax)
    reply({ _tag: "records", highWatermark: lead.highWatermark, logStart: 0, count: records.length, records })
  }

  proposalSent(): void {
    if (this.lead !== undefined) this.lead = this.rules.proposalSent(this.lead)
  }

  proposalAnswered(proposal: Proposal, error: KafkaError): void {
    const { lead, rules } = this
    if (lead === undefined || lead.epoch !== proposal.leaderEpoch) return
    const next = rules.proposalAnswered(lead, proposal, rules.outcomeOf(error))
    this.step(rules.believesAnswers && error === "NONE" ? { ...next, isr: proposal.isr, maximal: proposal.isr } : next)
  }

  /** What a consumer may read: below the high watermark, by which this broker answers under the leader epoch that it knows. */
  readable(from: Offset): { readonly records: ReadonlyArray<StoredRecord>; readonly epoch: number; readonly isReplicated: boolean } | undefined {
    const { follow, lead, log } = this
    if (lead === undefined && (follow === undefined || !this.world.options.followerReads)) return undefined
    const until = this.rules.readsCommitted ? (lead?.highWatermark ?? follow?.readable ?? 0) : log.end
    const records = log.slice(from, Math.min(until, from + 500))
    return { records, epoch: lead?.epoch ?? follow?.leaderEpoch ?? -1, isReplicated: lead === undefined || lead.followers.length > 0 }
  }

  // ------------------------------------------------------------------ the follower

  private fetch(): void {
    const { broker, follow, rules, world } = this
    if (follow === undefined || this.hasEnded) return
    const next = rules.nextFetch(follow)
    const leader = world.brokers[follow.leader]
    if (next === undefined || leader === undefined) return
    this.follow = fetchSent(follow)
    this.sentAt = world.queue.now
    const request: ReplicaFetch = { ...next, id: broker.id, brokerEpoch: broker.epoch, logStart: 0 }
    const { key } = this
    const reply: Reply = (answer) => world.network.send(leader, broker, () => this.answered(next, answer))
    world.network.send(broker, leader, () => {
      const asked = leader.replicas.get(key)
      if (asked === undefined) reply({ _tag: "failed", error: "NOT_LEADER_OR_FOLLOWER" })
      else asked.replicaFetch(request, reply)
    })
  }

  private answered(sent: NextFetch, answer: LeaderResponse): void {
    const { follow, log, rules, world } = this
    if (follow === undefined || this.hasEnded) return
    const { action, state } = rules.answered(follow, sent, answer, log.epochs.startsBefore(log.end))
    this.follow = state
    if (action._tag === "ignore") {
      if (state === follow) return world.sometimes.hit("a late response to a fetch was ignored")
      this.retryMs = Math.min(this.retryMs * 2, 1000)
      return world.network.timer(this.broker, this.retryMs, () => this.fetch())
    }
    this.retryMs = 50
    if (action._tag === "append") return this.received(answer)
    this.cut(action._tag === "cut" ? action.offset : action.logStart)
    if (++this.cutsInARow === 2) world.sometimes.hit("a follower cut twice before it was aligned")
    this.fetch()
  }

  private received({ records = [], ...answer }: LeaderResponse): void {
    const { log, rules, world } = this
    this.cutsInARow = 0
    for (const record of records) {
      if (record.offset !== log.end) {
        world.checks.broken("L6", `broker ${this.broker.id} appends ${this.name}@${record.offset} to a log that ends at ${log.end}`)
        break
      }
      log.append(record)
    }
    let state = wasAppended(this.follow as Follow, log.end, log.lastEpoch)
    if (answer._tag === "records") state = rules.heard(state, answer.highWatermark)
    this.follow = this.broker.lies ? wasSynced(state, log.end) : state
    if (state.highWatermark > this.highWatermark) this.highWatermark = state.highWatermark
    if (records.length > 0) this.sync()
    this.fetch()
  }

  private cut(offset: Offset): void {
    const { log, rules, world } = this
    const { end } = log
    if (offset >= end && this.follow?.end === end) {
      this.follow = wasCut(this.follow, end, log.lastEpoch)
      log.forgetEmptyEpochs()
      return
    }
    world.note(() => `broker ${this.broker.id} cuts ${this.name} from ${end} to ${offset}, high watermark ${this.highWatermark}`)
    world.checks.cut(this, offset)
    log.cut(offset, { epochs: !rules.cutsEpochs, producers: !rules.cutsProducers, synced: !rules.lowersSyncedEnd })
    world.mix(this.key, offset)
    this.highWatermark = Math.min(this.highWatermark, offset)
    if (rules.lowersCheckpoints) log.checkpointed = Math.min(log.checkpointed, offset)
    if (this.follow !== undefined) this.follow = wasCut(this.follow, log.end, log.lastEpoch)
  }

  // ------------------------------------------------------------------ the disk

  /** Syncs until all records are synced; a sync covers what was appended before it began. */
  private sync(): void {
    const { log, world } = this
    if (this.isSyncing || this.hasEnded || (this.broker.lies ? log.durable : log.synced) >= log.end) return
    this.isSyncing = true
    const target = log.end
    const { cuts } = log
    world.network.timer(this.broker, this.broker.lies ? 1000 + world.chance.below(4000) : this.broker.syncMs, () => {
      this.isSyncing = false
      if (this.hasEnded) return
      if (log.cuts === cuts) {
        log.synced = Math.max(log.synced, target)
        log.durable = Math.max(log.durable, target)
        this.wasSynced()
      }
      this.sync()
    })
  }

  private wasSynced(): void {
    if (this.lead !== undefined) {
      this.step(this.rules.synced(this.lead, this.durableEnd))
      this.committed()
    } else if (this.follow !== undefined) {
      this.follow = wasSynced(this.follow, this.durableEnd)
      this.fetch()
    }
  }
}
