import { expect, test } from "bun:test"
import { Effect, Fiber, Stream } from "effect"
import fc from "fast-check"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumedRecord } from "../../../../src/client/consumer/fetch/record.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, type RealCluster, withCluster } from "../real-cluster.ts"

const partitions = 4
const messages = 96
const session = { sessionTimeoutMs: 6000, heartbeatIntervalMs: 2000, rebalanceTimeoutMs: 8000, maxPollIntervalMs: 15_000 }

/** What happens to a member, after a pause: it starts or stops, or its host is cut off from the cluster or reaches it again. */
interface Step {
  readonly pauseMs: number
  readonly member: number
  readonly what: "start" | "stop" | "cut" | "heal"
}
const step: fc.Arbitrary<Step> = fc.record({
  pauseMs: fc.integer({ min: 0, max: 6000 }),
  member: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom("start", "start", "stop", "cut", "heal")
})
/** How a message is handled for the nth time: for how long, and whether its handler fails or hangs. The third time it succeeds. */
interface Manner {
  readonly slowMs: number
  readonly failPercent: number
  readonly hangPercent: number
  readonly perPartition: number
  /** Members keep their partitions in a rebalance (KIP-429). */
  readonly cooperative: boolean
}
const manner: fc.Arbitrary<Manner> = fc.record({
  slowMs: fc.constantFrom(0, 20, 400, 3000),
  failPercent: fc.constantFrom(0, 0, 3),
  hangPercent: fc.constantFrom(0, 0, 2),
  perPartition: fc.constantFrom(1, 1, 3),
  cooperative: fc.boolean()
})
/** A number below 100 from the place of a message. */
const chance = (partition: number, offset: number, nth: number): number => (partition * 7919 + offset * 104_729 + nth * 1_299_709) % 100

/** Who handled what, and where the rules were broken. */
class History {
  /** The member whose scope of the partition opened last. */
  readonly holders = new Map<number, string>()
  readonly open = new Set<string>()
  readonly tries = new Map<string, number>()
  readonly done = Array.from({ length: partitions }, () => new Set<number>())
  private readonly last = new Map<string, number>()
  readonly faults: Array<string> = []

  opened(member: string, partition: number): void {
    this.holders.set(partition, member)
    this.open.add(`${member} ${partition}`)
    this.last.delete(`${member} ${partition}`)
  }
  closed(member: string, partition: number): void {
    this.open.delete(`${member} ${partition}`)
  }
  begins(member: string, { offset, partition }: ConsumedRecord, inOrder: boolean): number {
    const place = `${partition}@${offset}`
    // Given away: another member's scope has opened, or the member's own is closed.
    if (this.holders.get(partition) !== member || !this.open.has(`${member} ${partition}`))
      this.faults.push(`${member} was given ${place} of ${this.holders.get(partition)}`)
    const before = this.last.get(`${member} ${partition}`) ?? -1
    if (inOrder && offset < before) this.faults.push(`${member} was given ${place} after ${before}`)
    this.last.set(`${member} ${partition}`, offset)
    const nth = this.tries.get(place) ?? 0
    this.tries.set(place, nth + 1)
    return nth
  }
  committed(partition: number, offset: number): void {
    for (let at = 0; at < offset; at++) if (!this.done[partition]?.has(at)) this.faults.push(`${partition}@${offset} was committed before ${at} was processed`)
  }
}

const handlerOf =
  (history: History, member: string, { failPercent, hangPercent, perPartition, slowMs }: Manner) =>
  (record: ConsumedRecord) =>
    Effect.gen(function* () {
      const nth = history.begins(member, record, perPartition === 1)
      const drawn = nth > 1 ? 100 : chance(record.partition, record.offset, nth)
      if (drawn < hangPercent) return yield* Effect.never
      yield* Effect.sleep((slowMs * (1 + chance(record.offset, record.partition, nth))) / 100)
      if (drawn < hangPercent + failPercent) return yield* Effect.fail("the handler failed")
      history.done[record.partition]?.add(record.offset)
    })

/** One life of a member: it runs again after each failure, as a service does. */
const live = (cluster: RealCluster, history: History, host: string, name: string, how: Manner) =>
  Effect.scoped(
    Effect.gen(function* () {
      const consumer = yield* Consumer.make({ leader, from: "earliest", commitIntervalMs: 1000, closeTimeoutMs: 4000 })
      const note = Stream.runForEach(consumer.events, (event) =>
        Effect.sync(() => {
          if (event._tag === "OffsetsCommitted") for (const { offset, partition } of event.offsets) history.committed(partition, offset)
        })
      )
      yield* Effect.forkScoped(note)
      yield* consumer.joinConsumerGroup("workers", how.cooperative ? { ...session, assignors: ["cooperative-sticky"] } : session)
      yield* consumer.subscribe("jobs")
      const onAssigned = ({ partition }: { readonly partition: number }) =>
        Effect.acquireRelease(
          Effect.sync(() => history.opened(name, partition)),
          () => Effect.sync(() => history.closed(name, partition))
        )
      const options = { concurrency: 6, perPartition: how.perPartition, onAssigned }
      yield* Effect.forever(Effect.catchAll(consumer.run(handlerOf(history, name, how), options), () => Effect.sleep(100)))
    })
  ).pipe(Effect.provide(cluster.network.layer(host)), Effect.retry({ times: 20 }))

const nodes = ["leader", "broker1", "broker2"]
/** More for a long search: FRANZ_RUNS=100. */
const numRuns = Number(process.env.FRANZ_RUNS ?? 4)

test(
  "over rebalances, cut connections, failing and hanging handlers: nothing is lost, nothing is delivered after it was given away, partitions keep their order (G1, G7)",
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), manner, fc.integer(), async (steps, how, seed) => {
        const history = new History()
        await withCluster(
          (cluster) =>
            Effect.gen(function* () {
              const producer = yield* Producer.make({ leader })
              yield* producer.addTopic("jobs", { partitions })
              const send = (at: number) => producer.sendMessage("jobs", `${at}`, { key: `k${at % 11}`, partition: at % partitions })
              yield* Effect.forEach(
                Array.from({ length: messages / 2 }, (_, at) => at),
                send,
                { concurrency: 20 }
              )
              const lives = new Map<number, Fiber.RuntimeFiber<void, unknown>>()
              let births = 0
              const start = (member: number) =>
                Effect.gen(function* () {
                  if (lives.has(member)) return
                  const name = `member ${member}, life ${births++}`
                  lives.set(member, yield* Effect.forkScoped(live(cluster, history, `host${member}`, name, how)))
                })
              const perform = ({ member, pauseMs, what }: Step) =>
                Effect.gen(function* () {
                  yield* Effect.sleep(pauseMs)
                  if (what === "start") yield* start(member)
                  else if (what === "heal") cluster.network.heal()
                  else if (what === "cut") for (const node of nodes) cluster.network.cut(`host${member}`, node)
                  else {
                    const life = lives.get(member)
                    lives.delete(member)
                    if (life !== undefined) yield* Fiber.interrupt(life)
                  }
                })
              yield* start(0)
              yield* Effect.forEach(steps, perform, { discard: true })
              cluster.network.heal()
              yield* start(1)
              yield* Effect.forEach(
                Array.from({ length: messages / 2 }, (_, at) => messages / 2 + at),
                send,
                { concurrency: 20 }
              )
              let waitedMs = 0
              while (history.done.reduce((sum, { size }) => sum + size, 0) < messages && waitedMs < 1_200_000) {
                yield* Effect.sleep(500)
                waitedMs += 500
              }
            }),
          seed
        )
        expect([history.faults, history.done.map(({ size }) => size)]).toEqual([[], Array.from({ length: partitions }, () => messages / partitions)])
      }),
      { numRuns }
    ),
  300_000 + numRuns * 75_000
)
