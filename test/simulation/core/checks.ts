import type { Command } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { brokerOf, type Cluster, type Partition, topicById } from "../../../domain/cluster/state.ts"
import type { BrokerId, Offset, TopicId } from "../../../domain/kernel/id.ts"
import type { Violation } from "../checker/violation.ts"
import { isLost, type KnownPartition, partitionIn } from "./partitions.ts"
import type { Replica } from "./replica.ts"
import type { ReplicaLog, StoredRecord } from "./replica-log.ts"
import type { World } from "./world.ts"

/** How the events of unclean elections are allowed: by a command of an operator (R8). */
const isUncleanCommand = (command: Command): boolean => command._tag === "ElectLeaders" && command.kind === "unclean"

/** What must hold always: the invariants R1 to R8, L1, L2, L4 to L7 and M5, checked at each event and every half a second. */
export class Checks {
  readonly violations: Array<Violation & { readonly at: number; readonly partition: string | undefined }> = []
  private readonly leaders = new Map<string, number>()
  private lastEpoch = 0

  constructor(private readonly world: World) {}

  broken(invariant: string, message: string, partition?: string): void {
    const at = this.world.queue.now
    this.violations.push({ invariant, message, at, partition })
    this.world.note(() => `BROKEN ${invariant}: ${message}`)
  }

  // ------------------------------------------------------------------ the journal

  /** R1, R2, R7, R8 and M5, by each event. */
  event(before: Cluster, event: Event, after: Cluster, command: Command, epoch: number): void {
    if (epoch < this.lastEpoch) this.broken("M5", `an event of leader epoch ${epoch} follows one of epoch ${this.lastEpoch}`)
    this.lastEpoch = epoch
    this.world.mix(after.index, epoch)
    this.world.note(() => `journal ${before.index}: ${describe(event)}`)
    if (event._tag === "ReassignmentEnded") this.moved(event, before)
    if (before.topics === after.topics) return
    for (const [topicId, topic] of after.topics) {
      const old = topicById(before, topicId)
      if (old === topic || old === undefined) continue
      let index = 0
      for (const partition of topic.partitions) {
        const was = old.partitions.at(index)
        const known = this.world.partitions.find(topicId, index++)
        if (was !== undefined && known !== undefined && was !== partition) this.changed(known, was, partition, event, command, after)
      }
    }
  }

  private moved({ outcome, partition, replicas, topicId }: Extract<Event, { readonly _tag: "ReassignmentEnded" }>, before: Cluster): void {
    if (outcome !== "completed") return
    const leader = topicById(before, topicId)?.partitions.at(partition)?.leader ?? -1
    this.world.sometimes.hit("a reassignment completed")
    if (leader !== -1 && !replicas.includes(leader)) this.world.sometimes.hit("a replica was moved away from its leader")
  }

  private changed(known: KnownPartition, was: Partition, is: Partition, event: Event, command: Command, after: Cluster): void {
    const { sometimes } = this.world
    const name = this.world.partitions.nameOf(known.key)
    if (is.partitionEpoch !== was.partitionEpoch + 1) this.broken("R7", `partition epoch ${is.partitionEpoch} of ${name} follows ${was.partitionEpoch}`, name)
    if (is.leader !== was.leader && is.leaderEpoch <= was.leaderEpoch) this.broken("R1", `${name} has another leader under epoch ${is.leaderEpoch}`, name)
    if (is.leader !== -1 && !is.isr.includes(is.leader)) this.broken("R2", `the leader ${is.leader} of ${name} is not in its in-sync set ${is.isr}`, name)
    if (
      new Set(is.replicas).size !== is.replicas.length ||
      is.isr.some((id) => !is.replicas.includes(id)) ||
      is.elr.some((id) => !is.replicas.includes(id) || is.isr.includes(id))
    )
      this.broken("M7", `${name} has replicas ${is.replicas}, in sync ${is.isr}, ELR ${is.elr}`, name)
    this.world.partitions.settle(known, was, is, after)
    if (is.isr.length + is.elr.length > 0 && isLost(known, is)) {
      if (!isLost(known, was)) sometimes.hit("the last copy was lost")
      known.uncleanEpoch = is.leaderEpoch
      known.promised.clear()
      // A cancelled move left the replica whose disk is gone as the only one: its empty log is the partition's from then on.
      if (is.replicas.length === 1) known.lostBy.clear()
    }
    if (is.leader !== -1 && is.leader !== was.leader) this.elected(known, name, was, is, event, command)
    if (is.leader === -1 && was.leader !== -1) sometimes.hit("a partition had no leader")
    if (is.leader !== was.leader && was.leader !== -1 && was.adding.length + was.removing.length > 0) sometimes.hit("the leader changed during a reassignment")
    if (is.isr.length === 1 && was.isr.length > 1 && is.replicas.length > 1) sometimes.hit("the last replica stood alone in sync")
    if (is.leader !== -1 && brokerOf(after, is.leader) === undefined) this.broken("M7", `${name} is led by broker ${is.leader}, which is not registered`, name)
  }

  private elected(known: KnownPartition, name: string, was: Partition, is: Partition, event: Event, command: Command): void {
    const { sometimes } = this.world
    const leader = is.leader as BrokerId
    if (was.isr.length === 0 && was.elr.includes(leader)) sometimes.hit("a member of the ELR was elected")
    if (event._tag === "LeadersElected" && event.reason === "preferred") sometimes.hit("a preferred leader was elected")
    if (event._tag === "LeaderElectedUncleanly") {
      sometimes.hit("a leader was elected uncleanly")
      if (!isUncleanCommand(command)) this.broken("R8", `${name}: ${command._tag} elected broker ${leader} uncleanly`, name)
      known.uncleanEpoch = is.leaderEpoch
      known.promised.clear()
    } else if (!was.isr.includes(leader) && !was.elr.includes(leader) && command._tag !== "AlterInSyncSets")
      this.broken("R8", `${name}: broker ${leader} is elected, which was neither in the in-sync set ${was.isr} nor in the ELR ${was.elr}`, name)
  }

  /** R1, by what brokers believe. */
  leads(key: number, epoch: number, broker: number): void {
    const name = `${this.world.partitions.nameOf(key)} ${key} e${epoch}`
    const before = this.leaders.get(name)
    // A process that restarts under the same epoch would have another log: it leads under a new one.
    if (before !== undefined) this.broken("R1", `brokers ${before} and ${broker} lead ${name}`, this.world.partitions.nameOf(key))
    this.leaders.set(name, broker)
  }

  // ------------------------------------------------------------------ clients

  appended(replica: Replica, { epoch }: StoredRecord): void {
    const partition = partitionIn(this.world.journal.state, this.world.partitions.of(replica.key))
    if (partition !== undefined && partition.leaderEpoch > epoch) this.world.sometimes.hit("a deposed leader appended a record")
  }

  /** R6 at the moment of an acknowledgement, and L1 from then on. */
  acknowledged({ broker, key, lead }: Replica, offset: Offset, record: StoredRecord, minIsr: number): void {
    const known = this.world.partitions.of(key)
    if (known.isRemoved) return
    const name = `${this.world.partitions.nameOf(key)}@${offset}e${record.epoch}`
    let synced = 0
    for (const each of this.world.brokers) {
      // A leader whose image is old counts a replica that a finished or cancelled move has taken away since.
      const deleted = known.deleted.get(each.id)
      const log =
        each.logs.get(key) ?? (deleted !== undefined && (lead?.partitionEpoch ?? Number.POSITIVE_INFINITY) < deleted.partitionEpoch ? deleted.log : undefined)
      // One that lost its disk since had it when it said so.
      if ((known.losses.get(each.id) ?? -1) >= record.number || (log?.at(offset) === record && (each.lies || log.durable > offset))) synced++
    }
    if (synced < minIsr)
      this.broken("R6", `broker ${broker.id} acknowledges ${name}, which ${synced} disks have, of ${minIsr}`, this.world.partitions.nameOf(key))
    this.promise(known, offset, record, lead?.epoch ?? record.epoch, `acknowledged by broker ${broker.id}`)
  }

  /** L2: one value for each offset, for ever. */
  read(known: KnownPartition, records: ReadonlyArray<StoredRecord>, epoch: number, broker: number): void {
    for (const record of records) if (!this.isUnsynced(known, record)) this.promise(known, record.offset, record, epoch, `read from broker ${broker}`)
  }
  /** Decision 7: records of a leader without followers are read before they are synced, also while the first followers copy them. */
  private isUnsynced({ key, single }: KnownPartition, record: StoredRecord): boolean {
    const { lies = false, logs } = this.world.brokers[single.broker] ?? {}
    const log = logs?.get(key)
    return record.offset < single.highWatermark && log !== undefined && !lies && !(log.at(record.offset) === record && log.durable > record.offset)
  }

  private promise(known: KnownPartition, offset: Offset, record: StoredRecord, epoch: number, how: string): void {
    if (known.isRemoved || epoch < known.uncleanEpoch) return
    const before = known.promised.get(offset)
    if (before === undefined) known.promised.set(offset, { record, how })
    else if (before.record !== record) {
      const name = this.world.partitions.nameOf(known.key)
      this.broken(
        "L2",
        `${name}@${offset}e${record.epoch} was ${how} as record ${record.number}, and ${before.how} as record ${before.record.number} of epoch ${before.record.epoch}`,
        name
      )
    }
  }

  /** A follower removes records: committed ones only after an unclean election. */
  cut({ broker, follow, highWatermark, key, log }: Replica, offset: Offset): void {
    const { sometimes } = this.world
    const known = this.world.partitions.of(key)
    sometimes.hit("a follower cut records that the leader lacks")
    for (let at = offset; at < log.end; at++)
      if (log.at(at)?.epoch === log.lastEpoch && log.lastEpoch < (follow?.leaderEpoch ?? 0))
        return this.cutCommitted(broker.id, highWatermark, offset, known, follow?.leaderEpoch ?? 0)
  }
  private cutCommitted(broker: number, highWatermark: Offset, offset: Offset, known: KnownPartition, epoch: number): void {
    this.world.sometimes.hit("a deposed leader appended, and its records were cut")
    if (offset >= highWatermark || (known.uncleanEpoch >= 0 && known.uncleanEpoch <= epoch) || known.lostBy.size > 0) return
    const name = this.world.partitions.nameOf(known.key)
    this.broken("L1", `broker ${broker} cuts ${name} to ${offset}, below its high watermark ${highWatermark}`, name)
  }

  // ------------------------------------------------------------------ replicas

  /** R3 and R4, over disks and what each replica believes. */
  replicas(): void {
    for (const known of this.world.partitions.present) {
      const partition = partitionIn(this.world.journal.state, known)
      if (partition === undefined || partition.replicas.length === 1) continue
      for (const { logs, replicas } of this.world.brokers) {
        const replica = replicas.get(known.key)
        const log = logs.get(known.key)
        if (log === undefined) continue
        if (replica !== undefined) this.strongIsr(known, partition, replica)
        this.matches(known, log)
      }
    }
  }

  private strongIsr(known: KnownPartition, { elr, isr }: Partition, { broker, follow, highWatermark, lead, log }: Replica): void {
    const epoch = lead?.epoch ?? (follow?.isAligned === true ? follow.leaderEpoch : -1)
    if (epoch < known.uncleanEpoch || highWatermark === 0) return
    for (const id of [...isr, ...elr]) {
      if (known.lostBy.has(id)) continue
      const other = this.world.brokers[id]
      const theirs = other?.logs.get(known.key)
      // Decision 7: while a partition had one replica, its high watermark was the end of the log.
      const isUnsyncedFine = other?.lies === true || (id === known.single.broker && highWatermark <= known.single.highWatermark)
      const end = theirs === undefined ? 0 : isUnsyncedFine ? theirs.end : Math.min(theirs.durable, theirs.end)
      if (end >= highWatermark && theirs?.hashAt(highWatermark) === log.hashAt(highWatermark)) continue
      const name = this.world.partitions.nameOf(known.key)
      this.broken(
        "R3",
        `broker ${broker.id} holds ${name} for committed below ${highWatermark}; broker ${id}, which may lead next, has ${end} records${end < highWatermark ? "" : ", and others"}`,
        name
      )
    }
  }

  /** R4: where two logs have the same offset under the same epoch, they have the same records up to there. */
  private matches(known: KnownPartition, log: ReplicaLog): void {
    for (const { logs } of this.world.brokers) {
      const other = logs.get(known.key)
      if (other === undefined || other === log) continue
      const last = Math.min(log.end, other.end)
      if (last === 0 || log.hashAt(last) === other.hashAt(last) || log.at(last - 1)?.epoch !== other.at(last - 1)?.epoch) continue
      const name = this.world.partitions.nameOf(known.key)
      this.broken("R4", `two logs of ${name} have epoch ${log.at(last - 1)?.epoch} at offset ${last - 1}, and other records up to there`, name)
    }
  }

  // ------------------------------------------------------------------ the end

  /** L1, L4 and L5, over the log of the last leader. */
  finalLog(known: KnownPartition, log: ReplicaLog): void {
    const name = this.world.partitions.nameOf(known.key)
    for (const [offset, { how, record }] of known.promised)
      if (log.at(offset) !== record) {
        this.broken(
          "L1",
          `${name}@${offset}e${record.epoch}, record ${record.number}, was ${how}, and is lost: the log has record ${log.at(offset)?.number ?? "none"} there`,
          name
        )
        break
      }
    const last = new Map<bigint, number>()
    for (const { baseSequence, hasProducerId, offset, producerId } of log.slice(0, log.end)) {
      if (!hasProducerId) continue
      const before = last.get(producerId) ?? -1
      if (baseSequence <= before)
        this.broken(baseSequence === before ? "L4" : "L5", `${name}@${offset}: sequence ${baseSequence} of producer ${producerId} follows ${before}`, name)
      last.set(producerId, baseSequence)
    }
  }
}

/** An event in a line. */
const describe = (event: Event): string => {
  const { _tag, v: _, ...fields } = event as Event & { readonly topicId?: TopicId }
  return `${_tag} ${JSON.stringify(fields, (_key, value) => (typeof value === "bigint" ? String(value) : value))}`
}
