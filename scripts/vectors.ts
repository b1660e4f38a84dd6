/**
 * `./franz vectors [--messages FILE] [--batches FILE]`: our codecs against messages and record batches that Apache Kafka's own classes wrote
 * (JSON lines, plain or gzip; without a file, those in test/conformance/data). Each is read, compared with the values beside it, written, and compared again.
 * Prints how many hold; exits 1 and names the first that does not.
 */
import { parseArgs } from "node:util"
import { Effect, Layer } from "effect"
import { layer as checksumLayer } from "../adapters/checksum/checksum.ts"
import { layer as compressionLayer } from "../adapters/compression/compression.ts"
import { Checksum } from "../src/ports/checksum.ts"
import { Compression } from "../src/ports/compression.ts"
import { checkBatch } from "../test/conformance/batch-vectors.ts"
import { batchesFile, messagesFile, readLines } from "../test/conformance/lines.ts"
import { checkMessage, type MessageVector } from "../test/conformance/message-vectors.ts"
import { tally } from "../test/conformance/report.ts"
import type { BatchVector } from "../test/domain/log/batch-vectors.ts"

const program = Effect.gen(function* () {
  const { values: files } = parseArgs({ options: { messages: { type: "string" }, batches: { type: "string" } } })
  const { crc32c } = yield* Checksum
  const compression = yield* Compression
  const messages = tally(readLines<MessageVector>(files.messages ?? messagesFile), ({ name, version }) => `${name} version ${version}`, checkMessage)
  const batches = tally(
    readLines<BatchVector>(files.batches ?? batchesFile),
    ({ kind, codec }) => `${kind} batch, codec ${codec}`,
    (vector) => checkBatch(vector, { crc32c, compression })
  )
  console.log(`${messages.passed} of ${messages.total} messages, ${batches.passed} of ${batches.total} batches`)
  if (messages.firstFailure !== undefined) console.error(`messages, ${messages.firstFailure}`)
  if (batches.firstFailure !== undefined) console.error(`batches, ${batches.firstFailure}`)
  return messages.firstFailure === undefined && batches.firstFailure === undefined ? 0 : 1
})

/** An unknown option, a file that is not there, and a line that is no JSON are each said in a sentence. */
const told = Effect.catchAllDefect(program, (cause) =>
  Effect.sync(() => (console.error(`vectors: ${cause instanceof Error ? cause.message : String(cause)}`), 1))
)
process.exit(await Effect.runPromise(Effect.provide(told, Layer.merge(checksumLayer, compressionLayer))))
