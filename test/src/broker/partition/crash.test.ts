import { expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import fc from "fast-check"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import type { Cluster } from "../../../../domain/cluster/state.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { decodeRecords } from "../../../../domain/log/record.ts"
import { addTopic, heartbeat, register, up } from "../../../domain/cluster/support.ts"
import { batch, type Harness, harness, incarnation, newDisk, overInTime, receive, send, sequenced, until } from "../support.ts"

/** A step in one run of a broker: an acknowledged batch, one with acks=1, or one that waits for its sync at the power cut. */
type Step = "acknowledged" | "quick" | "waiting"
interface Life {
  readonly steps: ReadonlyArray<Step>
  /** Numbers from which the crash draws what the disk keeps. */
  readonly cuts: ReadonlyArray<number>
}
const lives = fc.array(
  fc.record({
    steps: fc.array(fc.constantFrom<Step>("acknowledged", "quick", "waiting"), { maxLength: 8 }),
    cuts: fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 4 })
  }),
  { minLength: 1, maxLength: 4 }
)

const text = new TextDecoder()
const producerId = 9n

/** The state of the producer. */
class Producer {
  sequence = 0
  /** Sent, without a response. */
  unknown: { readonly sequence: number; readonly value: string } | undefined
  readonly acknowledged = new Map<number, string>()
  made = 0
  next(): { readonly sequence: number; readonly value: string } {
    return this.unknown ?? { sequence: this.sequence, value: `v${this.made++}` }
  }
}

const deliver = (broker: Harness, producer: Producer) =>
  Effect.gen(function* () {
    const { sequence, value } = producer.next()
    const answer = yield* send(broker.routes, sequenced([value], producerId, sequence), { acks: -1 })
    expect(answer?.errorCode).toBe(0)
    producer.unknown = undefined
    producer.sequence = sequence + 1
    producer.acknowledged.set(Number(answer?.baseOffset), value)
  })

const readAll = (broker: Harness) =>
  Effect.map(receive(broker.routes, 0), (answer) =>
    Either.getOrThrow(readableBatches(answer?.records as Uint8Array)).flatMap((one) =>
      Either.getOrThrow(decodeRecords(one, one.records)).map(({ offset, value }) => [offset, text.decode(value as Uint8Array), one.hasProducerId] as const)
    )
  )

const check = (broker: Harness, producer: Producer) =>
  Effect.gen(function* () {
    const found = yield* readAll(broker)
    expect(found.map(([offset]) => offset)).toEqual(found.map((_, index) => index))
    for (const [offset, value] of producer.acknowledged) expect(found[offset]?.[1]).toBe(value)
    const own = found.filter(([, , isProducers]) => isProducers).map(([, value]) => value)
    expect(new Set(own).size).toBe(own.length)
  })

const live = (disk: MemoryDisk, past: Cluster, producer: Producer, { steps, cuts }: Life): Promise<Cluster> =>
  overInTime(
    disk,
    Effect.gen(function* () {
      const broker = yield* harness(past)
      yield* broker.hosted.begin(new Set())
      broker.run(register(1, incarnation), heartbeat(1))
      if (broker.cluster().partitionCount === 0) broker.run(addTopic("orders", { partitionCount: 1 }))
      yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, 0) !== "string")
      if (producer.unknown !== undefined) yield* deliver(broker, producer)
      yield* check(broker, producer)
      for (const step of steps) {
        if (step === "quick") yield* send(broker.routes, batch(["quick"]))
        else if (step === "acknowledged") yield* deliver(broker, producer)
        else {
          producer.unknown = producer.next()
          disk.syncDelayMs = 60_000
          const waiting = yield* Effect.fork(send(broker.routes, sequenced([producer.unknown.value], producerId, producer.unknown.sequence), { acks: -1 }))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(waiting)
          break
        }
      }
      let used = 0
      disk.crash((bound) => (cuts[used++ % cuts.length] as number) % bound)
      disk.syncDelayMs = 0
      // The leader fences a process that has stopped.
      broker.run(heartbeat(1, { wantShutDown: true }))
      return broker.cluster()
    })
  )

test("L1, L4, L6: after any crashes, acknowledged records are at their offsets, once; a repeated batch is written once", async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (all) => {
      const disk = newDisk()
      const producer = new Producer()
      let cluster = up(1)
      for (const life of all) cluster = await live(disk, cluster, producer, life)
      await live(disk, cluster, producer, { steps: ["acknowledged"], cuts: [0] })
    }),
    { numRuns: 60 }
  )
}, 300_000)
