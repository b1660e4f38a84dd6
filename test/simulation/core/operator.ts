import { Command } from "../../../domain/cluster/command.ts"
import { minIsrOf } from "../../../domain/cluster/replication/partition-changes.ts"
import { liveBrokers, sortedTopics, topicById } from "../../../domain/cluster/state.ts"
import type { Candidate, Submitted } from "./candidate.ts"
import type { DrawnTopic } from "./options.ts"
import { type KnownPartition, partitionIn } from "./partitions.ts"
import type { PlannedStep } from "./plan.ts"
import type { World } from "./world.ts"

const topicsMax = 5
const partitionsMax = 3
const bounds = { partitionsPerBrokerMax: 1000, replicationFactorMax: 5 }

type OperatorKind = Extract<
  PlannedStep["kind"],
  | "move"
  | "move leader"
  | "cancel moves"
  | "elect preferred"
  | "elect uncleanly"
  | "raise min ISR"
  | "lower min ISR"
  | "replace fenced brokers"
  | "add partitions"
  | "remove topic"
  | "add topic"
>

/** What operators do to the cluster, by commands of its leader. */
export class Operator {
  private readonly actions: { readonly [Kind in OperatorKind]: (pick: number) => void } = {
    move: (pick) => this.move(pick, false),
    "move leader": (pick) => this.move(pick, true),
    "cancel moves": () => this.cancelMoves(),
    "elect preferred": () => this.submit(Command.ElectLeaders({ kind: "preferred", partitions: null, commandedBy: "operator" })),
    "elect uncleanly": () => this.electUncleanly(),
    "raise min ISR": (pick) => this.minIsr(pick, 2),
    "lower min ISR": (pick) => this.minIsr(pick, 1),
    "replace fenced brokers": () => this.replaceFencedBrokers(),
    "add partitions": (pick) => this.addPartitions(pick),
    "remove topic": (pick) => this.removeTopic(pick),
    "add topic": (pick) => this.addTopic({ name: `topic${pick % 100}`, partitions: 1, replicationFactor: 3, minIsr: 1 + (pick % 2) })
  }
  private topicIds = 0

  constructor(private readonly world: World) {}

  isMine(kind: PlannedStep["kind"]): kind is OperatorKind {
    return kind in this.actions
  }
  act(kind: OperatorKind, pick: number): void {
    this.actions[kind](pick)
  }

  /** The leader of the cluster that an operator reaches. */
  get leader(): Candidate | undefined {
    const { candidates, queue } = this.world
    return candidates.find(({ isUp, leads, pausedUntil }) => isUp && leads && pausedUntil <= queue.now)
  }

  private submit(command: Command): Submitted | undefined {
    return this.leader?.submit(command)
  }

  addTopic({ minIsr, name, partitions, replicationFactor }: DrawnTopic): boolean {
    const { leader } = this
    if (leader === undefined || sortedTopics(leader.cluster).length >= topicsMax) return false
    const submitted = leader.submit(
      Command.AddTopic({
        topic: name,
        topicId: `T${String(this.topicIds++).padStart(19, "0")}AA` as never,
        partitionCount: partitions,
        replicationFactor,
        defaultPartitionCount: 1,
        assignments: [],
        configs: [{ name: "min.insync.replicas", value: String(minIsr) }],
        validateOnly: false,
        ...bounds
      })
    )
    return "events" in submitted
  }

  private removeTopic(pick: number): void {
    const topics = this.leader === undefined ? [] : sortedTopics(this.leader.cluster)
    const one = topics[pick % topics.length]
    if (topics.length > 1 && one !== undefined) this.submit(Command.RemoveTopic({ topic: { name: one.name } }))
  }

  private addPartitions(pick: number): void {
    const topics = this.leader === undefined ? [] : sortedTopics(this.leader.cluster).filter(({ partitions }) => partitions.length < partitionsMax)
    const one = topics[pick % topics.length]
    if (one !== undefined)
      this.submit(Command.AddPartitions({ topic: one.name, count: one.partitions.length + 1, assignments: null, validateOnly: false, ...bounds }))
  }

  private picked(pick: number): KnownPartition | undefined {
    const { present } = this.world.partitions
    return present[pick % present.length]
  }

  private move(pick: number, isAway: boolean): void {
    const { leader } = this
    const known = this.picked(pick)
    const partition = leader === undefined || known === undefined ? undefined : partitionIn(leader.cluster, known)
    if (leader === undefined || known === undefined || partition === undefined) return
    const now = partition.replicas.filter((id) => !partition.adding.includes(id))
    const size = Math.max(Math.min(2, now.length), now.length + (pick % 7 === 0 ? 1 : pick % 7 === 1 ? -1 : 0))
    const live = liveBrokers(leader.cluster)
      .map(({ id }) => id)
      .filter((id) => !isAway || id !== partition.leader)
    // Rotated by chance, so that any broker comes first.
    const from = pick % Math.max(1, live.length)
    const target = [...live.slice(from), ...live.slice(0, from)].slice(0, size)
    if (target.length < Math.min(2, now.length) || target.length === 0) return
    const isRunning = partition.adding.length + partition.removing.length > 0
    const submitted = leader.submit(
      Command.ReassignPartitions({
        partitions: [{ topic: known.topic, partition: known.index, replicas: target }],
        allowReplicationFactorChange: true,
        ...bounds
      })
    )
    if (isRunning && "events" in submitted && submitted.events.length > 0) this.world.sometimes.hit("a reassignment replaced another one")
  }

  private cancelMoves(): void {
    const { leader } = this
    if (leader === undefined) return
    const running = this.world.partitions.present.filter((known) => (partitionIn(leader.cluster, known)?.adding.length ?? 0) > 0)
    const copied = running.some((known) => partitionIn(leader.cluster, known)?.adding.some((id) => (this.world.brokers[id]?.logs.get(known.key)?.end ?? 0) > 0))
    const submitted = leader.submit(Command.CancelReassignment({ partitions: running.map(({ index, topic }) => ({ topic, partition: index })) }))
    if (copied && "events" in submitted && submitted.events.length > 0) this.world.sometimes.hit("a reassignment was cancelled after records were copied")
  }

  electUncleanly(known?: KnownPartition): void {
    const partitions = known === undefined ? null : [{ topic: known.topic, partition: known.index }]
    this.submit(Command.ElectLeaders({ kind: "unclean", partitions, commandedBy: "operator" }))
  }

  private minIsr(pick: number, value: number): void {
    const { leader } = this
    const known = this.picked(pick)
    const topic = leader === undefined || known === undefined ? undefined : topicById(leader.cluster, known.topicId)
    if (leader === undefined || topic === undefined || minIsrOf(leader.cluster, topic.configs) === value) return
    const partitions = [...topic.partitions]
    const isShort = partitions.some(({ isr, replicas }) => isr.length < replicas.length)
    const hadElr = partitions.some(({ elr }) => elr.length > 0)
    const changes = [{ name: "min.insync.replicas", operation: "set" as const, value: String(value) }]
    const submitted = leader.submit(Command.ChangeTopicConfigs({ topic: topic.name, replace: false, changes, validateOnly: false }))
    if ("error" in submitted) return
    if (value > 1 && isShort) this.world.sometimes.hit("min ISR rose while replicas were out of sync")
    if (value === 1 && hadElr) this.world.sometimes.hit("min ISR fell and emptied an ELR")
  }

  private replaceFencedBrokers(): void {
    const { leader } = this
    if (leader === undefined) return
    for (const { id } of this.world.brokers) {
      const submitted = leader.submit(Command.ReplaceBroker({ brokerId: id, movesMax: 3, partitionsPerBrokerMax: 1000 }))
      if ("events" in submitted && submitted.events.length > 0) this.world.sometimes.hit("a fenced broker was replaced")
    }
  }
}
