import { deepStrictEqual, strictEqual } from "node:assert"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, test } from "node:test"
import { Effect, Either, Layer } from "effect"
import { layer as checksum } from "../../adapters/checksum/checksum.ts"
import { layer as compression } from "../../adapters/compression/compression.ts"
import { layer as fileStore } from "../../adapters/log/file/layer.ts"
import type { TopicId } from "../../domain/kernel/id.ts"
import { assign, splitBatches } from "../../domain/log/batch.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { Compression } from "../../src/ports/compression.ts"
import { defaultLogConfig, LogStore } from "../../src/ports/log-store.ts"
import { checkBatch } from "../conformance/batch-vectors.ts"
import { batchesFile, messagesFile, readLines } from "../conformance/lines.ts"
import { checkMessage, type MessageVector } from "../conformance/message-vectors.ts"
import { tally } from "../conformance/report.ts"
import type { BatchVector } from "../domain/log/batch-vectors.ts"

/** What must hold on Bun and on Deno alike: Kafka's bytes, the codecs, and a log on a real disk. */
describe("on this runtime", () => {
  test("every message of Kafka is read and written byte-equal", () => {
    const messages = readLines<MessageVector>(messagesFile)
    deepStrictEqual(
      tally(messages, ({ name }) => name, checkMessage),
      { passed: 1244, total: 1244, firstFailure: undefined }
    )
  })

  test("every record batch of Kafka, in each codec", () =>
    Effect.gen(function* () {
      const services = { crc32c: (yield* Checksum).crc32c, compression: yield* Compression }
      const batches = readLines<BatchVector>(batchesFile)
      const checked = tally(
        batches,
        ({ codec, kind }) => `${kind}, ${codec}`,
        (vector) => checkBatch(vector, services)
      )
      deepStrictEqual(checked, { passed: 62, total: 62, firstFailure: undefined })
    }).pipe(Effect.provide(Layer.merge(checksum, compression)), Effect.runPromise))

  test("a log on the disk returns what was synced, after it is opened again", async () => {
    const directory = mkdtempSync(join(tmpdir(), "franz-runtime-"))
    const topicId = "BvXgbDGDQkqSB0fKXyZf6Q" as TopicId
    const batch = encodeBatch(
      { codec: "none", records: [{ timestamp: 1, key: null, value: new TextEncoder().encode("kept"), headers: [] }] },
      { crc32c, compress: (_, bytes) => bytes }
    )
    const opened = Effect.flatMap(LogStore, (store) => store.open(topicId, 0, defaultLogConfig))
    const once = <A, E>(use: Effect.Effect<A, E, LogStore>) => Effect.runPromise(use.pipe(Effect.provide(Layer.provide(fileStore({ directory }), checksum))))
    const write = Effect.gen(function* () {
      const log = yield* opened
      const batches = Either.getOrThrow(splitBatches(batch))
      for (const view of batches) assign(view, log.end(), 0)
      Either.getOrThrow(log.append(batches))
      yield* log.sync
      return log.end()
    })
    strictEqual(await once(Effect.scoped(write)), 1)
    const read = Effect.scoped(Effect.map(opened, (log) => Either.getOrThrow(log.read(0, 1000, log.end())).map((view) => Array.from(view))))
    deepStrictEqual(await once(read), [Array.from(batch)])
    rmSync(directory, { recursive: true, force: true })
  })
})
