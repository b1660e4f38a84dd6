import { Either } from "effect"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { assign, RecordBatch } from "../../../domain/log/batch.ts"
import type { TopicRef } from "../../../src/serve/cluster/current-leader.ts"
import type { FindReadable, ReadablePartition } from "../../../src/serve/readable.ts"
import { batch } from "../broker/support.ts"

/** A partition in memory that does what the test says: batches of one record each. */
export class FakePartition implements ReadablePartition {
  batches: Array<RecordBatch> = []
  first = 0
  epoch = 0
  reads = 0
  readonly waiting = new Set<() => void>()
  constructor(
    readonly topic: string,
    readonly topicId: TopicId,
    readonly partition: number
  ) {}

  readonly leaderEpoch = () => this.epoch
  readonly start = () => this.first
  readonly end = () => this.batches.length
  readonly highWatermark = () => this.batches.length
  readonly batchAtTime = () => Either.right(undefined)
  readonly read = (from: number, maxBytes: number) => {
    this.reads++
    const views: Array<Uint8Array> = []
    let left = maxBytes
    for (const { bytes } of this.batches.slice(Math.max(from, this.first))) {
      if (bytes.length > left && views.length > 0) break
      views.push(bytes)
      left -= bytes.length
      if (left <= 0) break
    }
    return Either.right(views)
  }
  readonly onAdvance = (wake: () => void) => {
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }

  append(value: string): void {
    const made = new RecordBatch(batch([value]))
    assign(made, this.batches.length, this.epoch)
    this.batches.push(made)
    this.wake()
  }
  raise(start: number): void {
    this.first = Math.max(this.first, Math.min(start, this.batches.length))
    this.wake()
  }
  lead(epoch: number): void {
    this.epoch = epoch
    this.wake()
  }
  wake(): void {
    for (const each of this.waiting) each()
  }
}

/** In a UUID of 22 characters the last one has two bits only. */
export const idOf = (n: number): TopicId => `AAAAAAAAAAAAAAA${String(n).padStart(6, "0")}A` as TopicId

/** Partitions that come and go, found by name and by id. */
export class FakeTable {
  private readonly partitions = new Map<string, FakePartition>()
  private made = 10

  private key(ref: TopicRef, partition: number): string {
    return `${"topicId" in ref ? ref.topicId : ref.name}-${partition}`
  }
  readonly find: FindReadable = (ref, partition) =>
    this.partitions.get(this.key(ref, partition)) ?? ("topicId" in ref ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION")

  at(topic: string, partition: number): FakePartition | undefined {
    return this.partitions.get(this.key({ name: topic }, partition))
  }
  /** A topic of its own id each time. */
  create(topic: string, count: number): TopicId {
    const topicId = idOf(this.made++)
    for (let index = 0; index < count; index++) {
      const made = new FakePartition(topic, topicId, index)
      this.partitions.set(this.key({ name: topic }, index), made)
      this.partitions.set(this.key({ topicId }, index), made)
    }
    return topicId
  }
  remove(topic: string): void {
    const gone = [...this.partitions.values()].filter((each) => each.topic === topic)
    for (const each of gone) {
      this.partitions.delete(this.key({ name: topic }, each.partition))
      this.partitions.delete(this.key({ topicId: each.topicId }, each.partition))
    }
    for (const each of new Set(gone)) each.wake()
  }
  get waitingCount(): number {
    return [...new Set(this.partitions.values())].reduce((sum, { waiting }) => sum + waiting.size, 0)
  }
}
