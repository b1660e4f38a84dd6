import { describe, expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import fc from "fast-check"
import { fieldAt } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerService } from "../../../../src/client/consumer/service.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import type { FakeCluster } from "../fake-cluster.ts"
import { leader, withFake } from "../support.ts"

const count = 12
const texts = Array.from({ length: count }, (_, at) => `${at}`)
/** A batch of one message for each text. */
const filled = (fake: FakeCluster) =>
  Effect.scoped(
    Effect.gen(function* () {
      fake.add("orders", 1)
      const producer = yield* Producer.make({ leader })
      for (const text of texts) yield* producer.sendMessage("orders", text)
    })
  )

/** What damage may look like: bytes of a batch at these places. `valid`: the CRC fits, so that only the records are wrong. */
const spoil = {
  "a record": (bytes: Uint8Array) => bytes.fill(0xff, 66),
  "a record under a CRC that fits": (bytes: Uint8Array) => {
    bytes.fill(0x7f, fieldAt.records)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  },
  "an offset beyond its batch": (bytes: Uint8Array) => {
    bytes[fieldAt.records + 3] = 0x7e
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  },
  "the record count": (bytes: Uint8Array) => {
    new DataView(bytes.buffer, bytes.byteOffset).setInt32(fieldAt.recordCount, 0x7fff_ffff)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  },
  "the magic": (bytes: Uint8Array) => bytes.fill(7, fieldAt.magic, fieldAt.magic + 1),
  "the length": (bytes: Uint8Array) => bytes.fill(0xff, fieldAt.batchLength, fieldAt.batchLength + 4),
  "a length that is too large": (bytes: Uint8Array) => bytes.fill(0x11, fieldAt.batchLength, fieldAt.batchLength + 4)
}
type Damage = keyof typeof spoil
const damages = Object.keys(spoil) as ReadonlyArray<Damage>

const quietly = Logger.withMinimumLogLevel(LogLevel.None)
/** Everything until nothing comes for ten seconds. */
const all = (consumer: ConsumerService) =>
  Effect.gen(function* () {
    const got: Array<string> = []
    for (let idle = 0; idle < 10; ) {
      const polled = yield* consumer.poll()
      got.push(...polled.map(({ text }) => text))
      idle = polled.length === 0 ? idle + 1 : 0
    }
    return got
  })

describe("bytes that are no records", () => {
  for (const damage of damages)
    test(`${damage}: poll names the position each time, and a consumer that skips reads all the rest`, () =>
      withFake((fake) =>
        Effect.gen(function* () {
          yield* filled(fake)
          const bad = fake.partition("orders", 0).batches[4]?.bytes
          if (bad !== undefined) spoil[damage](bad)
          const failing = yield* Consumer.make({ leader })
          yield* failing.assign([{ topic: "orders", partition: 0, at: "earliest" }])
          const got: Array<string> = []
          while (got.length < 4) got.push(...(yield* failing.poll()).map(({ text }) => text))
          for (let twice = 0; twice < 2; twice++) {
            let error: unknown
            while (error === undefined) error = yield* Effect.match(failing.poll(), { onFailure: (fault) => fault, onSuccess: () => undefined })
            expect(error).toMatchObject({ _tag: "CorruptRecords", topic: "orders", partition: 0, offset: 4, nextOffset: 5 })
          }
          const skipping = yield* Consumer.make({ leader, onCorrupt: "skip" })
          yield* skipping.assign([{ topic: "orders", partition: 0, at: "earliest" }])
          expect(yield* all(skipping)).toEqual(texts.filter((text) => text !== "4"))
        }).pipe(quietly)
      ))

  test("whatever bytes are spoiled, a consumer that skips ends, in order, and with what is behind the damage", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.record({ batch: fc.integer({ min: 0, max: count - 3 }), at: fc.nat(70), byte: fc.nat(255) }), {
          selector: ({ batch }) => batch,
          minLength: 1,
          maxLength: 3
        }),
        (flips) =>
          withFake((fake) =>
            Effect.gen(function* () {
              yield* filled(fake)
              // The offset that the broker looks a batch up by is its own: damage there is another batch to it.
              for (const { at, batch, byte } of flips)
                fake.partition("orders", 0).batches[batch]?.bytes.fill(byte, Math.max(fieldAt.batchLength, at), Math.max(fieldAt.batchLength, at) + 1)
              const consumer = yield* Consumer.make({ leader, onCorrupt: "skip" })
              yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
              const got = (yield* all(consumer)).map(Number).filter((nth) => nth < count)
              expect(got).toEqual([...got].sort((a, b) => a - b))
              expect(new Set(got).size).toBe(got.length)
            }).pipe(quietly)
          )
      ),
      { numRuns: 12 }
    ))
})
