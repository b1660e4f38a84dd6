import { expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { layerTypescript } from "../../../../adapters/checksum/checksum.ts"
import { layer as memoryLog } from "../../../../adapters/log/memory/layer.ts"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { defaultNodeConfig } from "../../../../domain/kernel/config.ts"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { addTopic, topicId, up } from "../../../domain/cluster/support.ts"
import { batch, type Harness, harness, newDisk, receive, send, until } from "../support.ts"

const directory = `/data/${topicId(1)}-0`
const storageError = errorCode("KAFKA_STORAGE_ERROR")
const config = { ...defaultNodeConfig, "log.segment.bytes": 300 }

/** Runs a broker with the topic `orders` of two partitions, whose store scrubs at once. */
const life = <A>(disk: MemoryDisk, use: (broker: Harness) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const broker = yield* harness(up(1), config)
        yield* broker.hosted.begin(new Set())
        broker.run(addTopic("orders", { partitionCount: 2 }))
        yield* until(() => [0, 1].every((partition) => broker.hosted.table.slot(topicId(1), partition) !== undefined))
        return yield* Effect.orDie(use(broker))
      })
    ).pipe(
      Effect.provide(memoryLog(disk, { scrubFirstAfterMs: 0, scrubIntervalMs: 1, scrubBytesPerSecondMax: Number.POSITIVE_INFINITY })),
      Effect.provide(layerTypescript),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )

/** Returns a disk with ten batches of three records in each partition, in several segments. */
const filled = async (): Promise<MemoryDisk> => {
  const disk = newDisk()
  await life(disk, (broker) =>
    Effect.gen(function* () {
      for (let n = 0; n < 10; n++)
        for (const partition of [0, 1]) expect(yield* send(broker.routes, batch(["a", "b", "c"]), { partition, acks: -1 })).toMatchObject({ errorCode: 0 })
      expect(broker.reports).toEqual([])
    })
  )
  return disk
}

const flip = (disk: MemoryDisk, position: number, mask: number): void => {
  const file = disk.session().open(`${directory}/00000000000000000000.log`, "write")
  const byte = new Uint8Array(1)
  file.read(byte, position)
  file.write([byte.map((before) => before ^ mask)], position)
}

const head = `orders-0 is offline: Produce and Fetch get KAFKA_STORAGE_ERROR, other partitions are served. ${directory}/00000000000000000000.log is damaged at`
const whole = "It was whole when the segment was ended. Nothing was changed; in this file"
const verify = `Stop the node; \`franz log verify ${directory}\` shows all that is wrong`

/** The broker's exact log line for a flipped bit: one in a batch's records, and one in each header field that the batch's CRC does not cover. */
const flips = [
  {
    what: "the records of the second batch",
    position: 85 + 75,
    mask: 4,
    says: (reason: string) =>
      `${head} bytes 85 to 169 (offsets 3 to 5): ${reason}. ${whole} everything before offset 3 is whole. ${verify}; put the file back from a copy, or see with \`franz log repair ${directory}\` what a cut there would lose. Then start the node.`,
    reason: /The batch says CRC \d+, its bytes give \d+/
  },
  ...(
    [
      ["base offset", 85 + 6, 1],
      ["leader epoch", 85 + 13, 0]
    ] as const
  ).map(([field, position, bit]) => ({
    what: `the ${field} of the second batch`,
    position,
    mask: 1 << bit,
    says: (reason: string) =>
      `${head} byte ${position} (offset 0 or one after it): ${reason}. ${whole} everything before offset 0 is whole. ${verify}; \`franz log repair ${directory} --execute\` turns the bit back and loses nothing. Then start the node.`,
    reason: new RegExp(
      `^bit ${bit} of byte ${position} was turned over: it belongs to the ${field} of the batch that starts at byte 85, which the batch's own CRC does not cover, and with that bit turned back the checksum of the segment fits$`
    )
  })),
  {
    what: "the length of the second batch",
    position: 85 + 11,
    mask: 1,
    says: (reason: string) =>
      `${head} bytes 85 to 168 (offsets 3 to 5): ${reason}. ${whole} everything before offset 3 is whole. ${verify}; put the file back from a copy, or see with \`franz log repair ${directory}\` what a cut there would lose. Then start the node.`,
    reason: /The batch says CRC \d+, its bytes give \d+/
  }
]

for (const { mask, position, reason, says, what } of flips)
  test(`a flipped bit in ${what} of a sealed segment: its partition goes offline with a log line, the others are served, also after a restart`, async () => {
    const disk = await filled()
    let line = ""
    await life(disk, (broker) =>
      Effect.gen(function* () {
        expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: 0 })
        // A consumer that waits at the end gets the error at once, not after its timeout.
        const waiting = yield* Effect.fork(receive(broker.routes, 30, { maxWaitMs: 600_000 }))
        yield* Effect.sleep(5)
        flip(disk, position, mask)
        yield* until(() => broker.reports.length > 0)
        line = broker.reports[0] ?? ""
        expect(yield* waiting).toMatchObject({ errorCode: storageError })
        for (const offset of [0, 3, 27, 30]) expect(yield* receive(broker.routes, offset)).toMatchObject({ errorCode: storageError })
        expect(yield* send(broker.routes, batch(["d"]))).toMatchObject({ errorCode: storageError })
        expect(yield* receive(broker.routes, 0, { partition: 1 })).toMatchObject({ errorCode: 0, highWatermark: 30n })
        expect(yield* send(broker.routes, batch(["d"]), { partition: 1, acks: -1 })).toMatchObject({ errorCode: 0, baseOffset: 30n })
        expect(broker.reports).toHaveLength(1)
      })
    )
    const found = line.split(": ").slice(2).join(": ").split(`. ${whole}`)[0] ?? ""
    expect(found).toMatch(reason)
    expect(line).toBe(says(found))
    await life(disk, (broker) =>
      Effect.gen(function* () {
        expect(broker.reports).toHaveLength(1)
        expect(broker.reports[0]).toBe(line.replace(head, `orders-0 cannot be opened: ${directory}/00000000000000000000.log is damaged at`))
        expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: storageError })
        expect(yield* receive(broker.routes, 0, { partition: 1 })).toMatchObject({ errorCode: 0, highWatermark: 31n })
      })
    )
    flip(disk, position, mask)
    await life(disk, (broker) =>
      Effect.gen(function* () {
        expect(broker.reports).toEqual([])
        expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: 0, highWatermark: 30n })
        expect(yield* send(broker.routes, batch(["d"]), { acks: -1 })).toMatchObject({ errorCode: 0, baseOffset: 30n })
      })
    )
  })
