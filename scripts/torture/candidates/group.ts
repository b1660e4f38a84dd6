import { type Cause, Effect, Fiber } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { Consumer, Producer } from "../../../src/programs/library.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import type { Acknowledgements } from "../pauses.ts"
import { until } from "../site.ts"
import { asking } from "../topic-state.ts"

export const groupTopic = "grouped"
export const groupPartitions = 4
const group = "tortured-group"
/** How long a client tries again, ms. */
const patienceMs = 300_000
const requestTimeoutMs = 5000
/** How often one more member joins, and leaves again, ms. */
const memberEveryMs = 1500
const offsetFetchVersion = 8
const readEveryMs = 200
const perSecond = 30

/** The names under which the acknowledgements of commits and of messages are noted. */
export const committing = "OffsetCommit"
export const producing = "Produce"

/** An idempotent producer, and a group whose members come and go, each with a commit after every poll. */
export class TorturedGroup {
  sent = 0
  commits = 0
  rebalances = 0
  /** How often committed offsets were read. */
  reads = 0
  private readonly processed = new Set<string>()
  /** The offset below which no partition may ever fall: of acknowledged commits, and of those that were read. */
  private readonly floor = new Map<number, number>()
  private readonly noted = new Map<string, number>()
  private sends = true
  private isOver = false
  private fiber: Fiber.RuntimeFiber<void> | undefined
  private reading: Promise<void> = Promise.resolve()

  constructor(
    private readonly ports: ReadonlyArray<number>,
    private readonly acknowledgements: Acknowledgements,
    private readonly complain: (complaint: string) => void
  ) {}

  start(): void {
    const members = Effect.all([this.member(0), this.member(1), this.visitors], { concurrency: "unbounded", discard: true })
    const all = Effect.all([this.producer, members], { concurrency: "unbounded", discard: true })
    this.fiber = Effect.runFork(Effect.catchAllCause(all, (cause) => Effect.sync(() => this.failed("a client ended", cause))))
    this.reading = this.readOffsets()
  }
  /** Ends the sending, waits until the group has processed every message, and ends the clients. */
  async stop(): Promise<void> {
    this.sends = false
    try {
      await until("the group processes every message that was acknowledged", () => this.processed.size >= this.sent, 120_000)
    } finally {
      this.isOver = true
      await this.reading
      if (this.fiber !== undefined) await Effect.runPromise(Fiber.interrupt(this.fiber))
    }
  }

  private get leader(): ReadonlyArray<string> {
    return this.ports.map((port) => `127.0.0.1:${port}`)
  }
  private failed(what: string, cause: Cause.Cause<unknown>): void {
    if (!this.isOver) this.complain(`${what}: ${String(cause).slice(0, 500)}`)
  }
  private readonly producer = Effect.suspend(() =>
    Effect.scoped(
      Effect.gen(this, function* () {
        const producer = yield* Producer.make({
          leader: this.leader,
          clientId: "grouped",
          requestTimeoutMs,
          deliveryTimeoutMs: patienceMs,
          bufferTimeoutMs: patienceMs,
          createTopics: false
        })
        for (let nth = 0; ; nth++) {
          yield* Effect.sleep(1000 / perSecond)
          if (!this.sends) continue
          const partition = nth % groupPartitions
          yield* producer.sendMessage(groupTopic, `m-${nth}`, { partition })
          this.sent += 1
          this.acknowledgements.add(producing, 0, Date.now())
        }
      })
    )
  )

  private readonly visitors = Effect.suspend(() =>
    Effect.forever(
      Effect.gen(this, function* () {
        yield* Effect.sleep(memberEveryMs)
        const visitor = yield* Effect.fork(this.member(2))
        yield* Effect.sleep(memberEveryMs)
        // A member that leaves while no leader takes its request would be missed until its session ends.
        const { commits } = this
        yield* Effect.repeat(Effect.sleep(20), { until: () => this.commits > commits })
        yield* Fiber.interrupt(visitor)
        this.rebalances += 2
      })
    )
  )
  private member(nth: number) {
    return Effect.scoped(
      Effect.gen(this, function* () {
        const consumer = yield* Consumer.make({
          leader: this.leader,
          clientId: `member-${nth}`,
          requestTimeoutMs,
          retryTimeoutMs: patienceMs,
          from: "earliest",
          commitIntervalMs: "never"
        })
        yield* consumer.joinConsumerGroup(group)
        yield* consumer.subscribe(groupTopic)
        for (;;) {
          const polled = yield* consumer.poll({ timeoutMs: 300 })
          if (polled.length === 0) continue
          for (const { text } of polled) this.processed.add(text ?? "")
          const ends = new Map(polled.map(({ offset, partition }) => [partition, offset + 1]))
          const outcome = yield* Effect.either(consumer.commit)
          if (outcome._tag === "Right") this.committed(ends)
          // Another member has the partitions: a rebalance.
          else if (outcome.left._tag !== "CommitRefused") return yield* outcome.left
        }
      })
    )
  }
  private committed(ends: ReadonlyMap<number, number>): void {
    this.commits += 1
    this.acknowledgements.add(committing, 0, Date.now())
    for (const [partition, end] of ends) this.raise(partition, end)
  }
  private raise(partition: number, end: number): void {
    this.floor.set(partition, Math.max(end, this.floor.get(partition) ?? 0))
  }

  /** Committed offsets never go back. */
  private async readOffsets(): Promise<void> {
    for (let nth = 0; !this.isOver; nth++) {
      await Bun.sleep(readEveryMs)
      const floor = new Map(this.floor)
      const read = await this.offsetsAt(this.ports[nth % this.ports.length] ?? 0)
      if (read === undefined) continue
      this.reads += 1
      for (const [partition, least] of floor) {
        const found = read.get(partition) ?? -1
        if (found < least) this.complain(`M5: the group's offset of ${groupTopic}-${partition} is ${found}, and ${least} was committed`)
      }
      for (const [partition, offset] of read) this.raise(partition, offset)
    }
  }
  /** Undefined while the coordinator does not answer. */
  private async offsetsAt(port: number): Promise<ReadonlyMap<number, number> | undefined> {
    try {
      const groups = [{ groupId: group, topics: null }]
      const response = await asking(port, (connection) => connection.call(OffsetFetch, offsetFetchVersion, { groups }), requestTimeoutMs)
      const found = response.groups[0]
      const error = kafkaError(found?.errorCode ?? -1)
      if (error !== "NONE") {
        this.noted.set(error, (this.noted.get(error) ?? 0) + 1)
        return undefined
      }
      const topic = found?.topics.find(({ name }) => name === groupTopic)
      return new Map((topic?.partitions ?? []).map(({ committedOffset, partitionIndex }) => [partitionIndex, Number(committedOffset)]))
    } catch {
      return undefined
    }
  }
}
