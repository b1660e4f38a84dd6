import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { type Event, GroupCreated, GroupDeleted } from "../../../../domain/group/event.ts"
import { type Groups, groupsDecider, noGroups } from "../../../../domain/group/groups.ts"
import { groupId, memberId } from "../../../../domain/group/id.ts"
import { limitsOf } from "../../../../domain/group/limits.ts"
import { OffsetsCommitted, OffsetsRemoved } from "../../../../domain/group/offset/event.ts"
import { defaultNodeConfig } from "../../../../domain/kernel/config.ts"
import { TopicName } from "../../../../domain/kernel/id.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { decodeRecords } from "../../../../domain/log/record.ts"
import { OffsetsPartition } from "../../../../src/groups/offsets-topic/partition.ts"
import { decode } from "../../../../src/protocol/codec/compile.ts"
import { OffsetCommitKey, OffsetCommitValue } from "../../../../src/protocol/message/consumer-offsets.ts"
import type { Steps } from "../../../../src/wire/sliced.ts"

const { evolve } = groupsDecider(limitsOf(defaultNodeConfig))

/** The groups of a stream, changed by hand, and the steps that wait in the background. */
class Stream {
  groups: Groups = noGroups
  readonly steps: Array<Steps<void>> = []
  readonly partition = new OffsetsPartition({
    partition: 0,
    groups: { epoch: 3, state: () => this.groups },
    now: () => 1000,
    run: (steps) => void this.steps.push(steps),
    bounds: { recordsPerBatchMax: 3, growthMax: 2, rewriteBytesMin: 4000 }
  })

  happen(...events: ReadonlyArray<Event>): void {
    for (const event of events) this.groups = evolve(this.groups, event)
    this.partition.follow({ index: 0, events, state: this.groups })
  }
  /** One step of what waits; whether there was any. */
  step(): boolean {
    const [first] = this.steps
    if (first?.next().done === true) this.steps.shift()
    return first !== undefined
  }
  settle(): void {
    while (this.step());
  }

  /** What a reader from `from` on knows at the end: the last value of each offset's key. */
  read(from = 0): ReadonlyMap<string, bigint> {
    const latest = new Map<string, bigint>()
    let last = -1
    for (let at = from; at < this.partition.end(); ) {
      const views = Either.getOrThrow(this.partition.read(at, 200))
      if (views.length === 0) break
      for (const batch of views.flatMap((view) => Either.getOrThrow(readableBatches(view)))) {
        for (const { key, offset, value } of Either.getOrThrow(decodeRecords(batch, batch.records))) {
          expect(offset).toBeGreaterThan(last)
          last = offset
          if (Buffer.from(key ?? []).readInt16BE(0) !== 1) continue
          const { group, partition, topic } = Either.getOrThrow(decode(OffsetCommitKey, 0, key as Uint8Array, 2))
          const name = `${group} ${topic}-${partition}`
          if (value === null) latest.delete(name)
          else latest.set(name, Either.getOrThrow(decode(OffsetCommitValue, 3, value, 2)).offset)
        }
        at = batch.nextOffset
      }
    }
    return latest
  }
  /** What the groups have committed. */
  get committed(): ReadonlyMap<string, bigint> {
    const all = new Map<string, bigint>()
    for (const [group, { offsets }] of this.groups)
      for (const [topic, held] of offsets) for (const [partition, { offset }] of held) all.set(`${group} ${topic}-${partition}`, BigInt(offset))
    return all
  }
}

const topic = TopicName.make("orders")
const at = 1_700_000_000_000
const commit = (group: number, partitions: ReadonlyArray<number>, offset: number): Event =>
  new OffsetsCommitted({
    groupId: groupId(`g${group}`),
    at,
    memberId: memberId(""),
    generation: -1,
    offsets: partitions.map((partition) => ({ topic, partition, offset, leaderEpoch: -1, metadata: "", commitAt: at, expiresAt: null, topicId: null }))
  })
const create = (group: number): Event => new GroupCreated({ groupId: groupId(`g${group}`), at })
const remove = (group: number, partitions: ReadonlyArray<number>): Event =>
  new OffsetsRemoved({ groupId: groupId(`g${group}`), at, reason: "deleted", removed: [{ topic, partitions }] })

describe("a reader of __consumer_offsets", () => {
  const group = fc.integer({ min: 0, max: 4 })
  const partitions = fc.uniqueArray(fc.integer({ min: 0, max: 24 }), { minLength: 1, maxLength: 25 })
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant("commit" as const), group, partitions) },
    { weight: 2, arbitrary: fc.tuple(fc.constant("remove" as const), group, partitions) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("delete" as const), group, partitions) },
    { weight: 5, arbitrary: fc.tuple(fc.constant("step" as const), group, partitions) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("rest" as const), group, partitions) }
  )
  const act = (stream: Stream, [what, id, of]: readonly ["commit" | "remove" | "delete" | "step" | "rest", number, ReadonlyArray<number>], n: number): void => {
    const has = [...stream.groups].some(([known]) => known === `g${id}`)
    if (what === "step") stream.step()
    else if (what === "rest") {
      stream.partition.unload()
      stream.partition.load()
    } else if (what === "commit") stream.happen(...(has ? [] : [create(id)]), commit(id, of, n))
    else if (has) stream.happen(what === "remove" ? remove(id, of) : new GroupDeleted({ groupId: groupId(`g${id}`), at }))
  }

  test("knows every committed offset and no other, from whatever offset before the first it began, while the log is written anew beside the events", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), fc.array(action, { maxLength: 60 }), (before, after) => {
        const stream = new Stream()
        for (const [n, each] of before.entries()) act(stream, each, n)
        stream.partition.load()
        for (const [n, each] of after.entries()) act(stream, each, 1000 + n)
        stream.settle()
        expect(stream.partition.isReadable).toBe(true)
        expect(stream.read()).toEqual(stream.committed)
        expect(stream.read(stream.partition.earliest())).toEqual(stream.committed)
      })
    )
  })

  test("continues at its offset after the log was unloaded and made again: it misses nothing", () => {
    const stream = new Stream()
    stream.happen(create(1), commit(1, [0, 1], 5))
    stream.partition.load()
    const position = stream.partition.end()
    expect(position).toBe(1_024_002)
    stream.partition.unload()
    stream.happen(commit(1, [1], 6))
    stream.partition.load()
    expect(stream.partition.start()).toBeLessThanOrEqual(position)
    expect(stream.read(position)).toEqual(stream.committed)
  })

  test("keeps the log small: superseded records go", () => {
    const stream = new Stream()
    stream.happen(create(1))
    stream.partition.load()
    for (let n = 0; n < 2000; n++) {
      stream.happen(commit(1, [0], n))
      stream.settle()
    }
    expect(stream.partition.end() - stream.partition.earliest()).toBeLessThan(50)
    expect([...stream.read().values()]).toEqual([1999n])
  })

  test("is told of what it waits for, and costs nothing when it is gone", () => {
    const stream = new Stream()
    stream.happen(create(1))
    stream.partition.load()
    let woken = 0
    const stop = stream.partition.onAdvance(() => woken++)
    stream.happen(commit(1, [0], 1))
    expect(woken).toBe(1)
    expect(stream.partition.isWaitedFor).toBe(true)
    stop()
    expect(stream.partition.isWaitedFor).toBe(false)
    stream.partition.unload()
    stream.happen(commit(1, [0], 2))
    expect([stream.partition.isFollowing, stream.partition.isReadable]).toEqual([false, false])
  })

  test("many groups are written in steps", () => {
    const stream = new Stream()
    for (let n = 0; n < 40; n++) stream.happen(create(n), commit(n, [0], n))
    stream.partition.load()
    expect(stream.partition.isReadable).toBe(false)
    let steps = 0
    while (!stream.partition.isReadable) {
      stream.step()
      steps++
    }
    expect(steps).toBeGreaterThan(8)
  })
})
