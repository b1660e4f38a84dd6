import { expect, test } from "bun:test"
import { Effect, Either, Random } from "effect"
import { layerBun } from "../../../adapters/transport/bun.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { fieldAt, type RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import type { Link } from "../../../src/wire/link.ts"
import { seed } from "../../seed.ts"
import { createTopic, newDisk, running, worldOver } from "./cluster-support.ts"
import { batch } from "./support.ts"

const partitions = 2
const producers = 3
const perProducer = 60

const send = (link: Link, index: number, records: Uint8Array, acks: number) =>
  link
    .call(Produce, { acks, timeoutMs: 20_000, topicData: [{ name: "orders", partitionData: [{ index, records }] }] }, { version: 12 })
    .pipe(Effect.map(({ responses }) => responses[0]?.partitionResponses[0]))
const fetch = (link: Link, partition: number, from: number, maxBytes: number) =>
  link
    .call(
      Fetch,
      { maxWaitMs: 100, minBytes: 1, topics: [{ topic: "orders", partitions: [{ partition, fetchOffset: BigInt(from), partitionMaxBytes: maxBytes }] }] },
      { version: 12 }
    )
    .pipe(Effect.map(({ responses }) => Either.getOrThrow(readableBatches(responses[0]?.partitions[0]?.records ?? new Uint8Array(0)))))

/** Reads all batches of a partition with random pauses. Inspects them at the end, when their receive buffers could have been reused. */
const readAll = (link: Link, partition: number, end: () => number) =>
  Effect.gen(function* () {
    const found: Array<RecordBatch> = []
    for (let from = 0; from < end(); from = found.at(-1)?.nextOffset ?? from) {
      const size = yield* Random.nextIntBetween(100, 1_000_000)
      for (const one of yield* fetch(link, partition, from, size)) if (one.nextOffset > from) found.push(one)
      if ((yield* Random.nextIntBetween(0, 4)) === 0) yield* Effect.sleep("3 millis")
    }
    return found
  })

/** Hashes the bytes that the producer wrote. The broker changes only the base offset and the leader epoch, which precede the CRC. */
const content = (bytes: Uint8Array): string => Bun.hash(bytes.subarray(fieldAt.crc)).toString(16)

for (const [name, transport] of [
  ["TCP", () => layerBun],
  ["memory", () => new MemoryNetwork({ segmentBytes: [1, 300_000] }).layer("here")]
] as const)
  test(
    `batches of every size from several producers are read as they were sent, at the tail and afterwards, over ${name}`,
    () =>
      running(
        Effect.gen(function* () {
          const { brokerOn, leaderOn, linkTo } = worldOver(transport())
          const leader = yield* leaderOn(newDisk())
          const broker = yield* brokerOn(newDisk(), 1, leader.it.address)
          yield* broker.it.ready
          const admin = yield* linkTo(broker.it.address)
          expect(yield* createTopic(admin, "orders", partitions)).toBe(0)
          for (let index = 0; index < partitions; index++)
            yield* Effect.repeat(Effect.delay(send(admin, index, batch(["first"]), 1), 5), { until: (answer) => answer?.errorCode === 0, times: 4000 })

          const sent: Array<Map<number, string>> = Array.from({ length: partitions }, () => new Map())
          const total = producers * perProducer
          let done = 0
          const produceAll = (producer: number) =>
            Effect.gen(function* () {
              const link = yield* linkTo(broker.it.address)
              yield* Effect.forEach(
                Array.from({ length: perProducer }, (_, i) => i),
                (i) =>
                  Effect.gen(function* () {
                    const size = yield* Random.nextIntBetween(0, i % 3 === 0 ? 400_000 : i % 3 === 1 ? 40_000 : 300)
                    const records = batch([`${producer}-${i}`, String.fromCharCode(97 + ((producer * 7 + i) % 26)).repeat(size)])
                    const expected = content(records)
                    const index = (producer + i) % partitions
                    const answer = yield* send(link, index, records, i % 4 === 0 ? -1 : 1)
                    expect(answer?.errorCode).toBe(0)
                    sent[index]?.set(Number(answer?.baseOffset), expected)
                    done++
                  }),
                { concurrency: 6 }
              )
            })
          const read = (partition: number) =>
            Effect.flatMap(linkTo(broker.it.address), (link) =>
              readAll(link, partition, () => (done < total ? Number.POSITIVE_INFINITY : 1 + 2 * (sent[partition]?.size ?? 0)))
            )
          const [, tails] = yield* Effect.all(
            [
              Effect.all(
                Array.from({ length: producers }, (_, producer) => produceAll(producer)),
                { concurrency: "unbounded" }
              ),
              Effect.all(
                Array.from({ length: partitions }, (_, partition) => read(partition)),
                { concurrency: "unbounded" }
              )
            ],
            { concurrency: "unbounded" }
          )
          const afterwards = yield* Effect.forEach([...sent.keys()], read)
          for (const [partition, batches] of [...tails.entries(), ...afterwards.entries()]) {
            expect(batches.map((one) => verify(one, crc32c))).toEqual(batches.map(() => undefined))
            const contents = new Map(batches.filter(({ baseOffset }) => baseOffset > 0).map((one) => [one.baseOffset, content(one.bytes)]))
            expect(contents).toEqual(sent[partition] ?? new Map())
          }
        }).pipe(Effect.withRandom(Random.make(seed)))
      ),
    300_000
  )
