import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { Effect, Layer } from "effect"
import { layer as checksumLayer } from "../../adapters/checksum/checksum.ts"
import { layer as compressionLayer, layerTypescript } from "../../adapters/compression/compression.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { Compression } from "../../src/ports/compression.ts"
import type { BatchVector } from "../domain/log/batch-vectors.ts"
import { type BatchTools, checkBatch } from "./batch-vectors.ts"
import { batchesFile, readLines } from "./lines.ts"
import { tally } from "./report.ts"

const lines = readLines<BatchVector>(batchesFile)

describe.each([
  ["by addons", compressionLayer],
  ["in TypeScript", layerTypescript]
] as const)("Kafka's record batches, compressed %s", (_, layer) => {
  const gather = Effect.zipWith(Checksum, Compression, ({ crc32c }, compression): BatchTools => ({ crc32c, compression }))
  const provided = Effect.runPromise(Effect.provide(gather, Layer.merge(checksumLayer, layer)))

  test.each([...Map.groupBy(lines, ({ value }) => `${value.kind}, ${value.codec}`)])("%s", async (_name, own) => {
    const tools = await provided
    const result = tally(
      own,
      ({ kind }) => kind,
      (vector) => checkBatch(vector, tools)
    )
    expect(result).toEqual({ passed: own.length, total: own.length, firstFailure: undefined })
  })
})

describe("scripts/vectors.ts", () => {
  const directory = mkdtempSync(join(tmpdir(), "franz-vectors-"))
  const data = new URL("data/", import.meta.url)
  const script = new URL("../../scripts/vectors.ts", import.meta.url).pathname
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const run = (...options: ReadonlyArray<string>) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, script, ...options])
    return { exitCode, said: stdout.toString(), complained: stderr.toString() }
  }
  /** A plain copy of a data file, with one line changed. */
  const spoiled = (name: string, line: number, change: (text: string) => string): string => {
    const texts = gunzipSync(readFileSync(new URL(`${name}.jsonl.gz`, data)))
      .toString()
      .split("\n")
    texts[line - 1] = change(texts[line - 1] ?? "")
    const file = join(directory, `${name}.jsonl`)
    writeFileSync(file, texts.join("\n"))
    return file
  }
  let clean: ReturnType<typeof run>
  beforeAll(() => {
    clean = run()
  })

  test("prints how many hold", () => expect(clean).toEqual({ exitCode: 0, said: "1244 of 1244 messages, 62 of 62 batches\n", complained: "" }))

  test("names the first message that differs", () => {
    const file = spoiled("messages", 3, (text) => text.replace(/"producerEpoch":-?\d+/, '"producerEpoch":7'))
    expect(run("--messages", file)).toEqual({
      exitCode: 1,
      said: "1243 of 1244 messages, 62 of 62 batches\n",
      complained: "messages, line 3: AddOffsetsToTxnRequest version 1: producerEpoch: read with another value\n"
    })
  })

  test("names the first batch that differs", () => {
    const file = spoiled("batches", 2, (text) => text.replace(/"leaderEpoch":\d+/, '"leaderEpoch":12345'))
    expect(run("--batches", file)).toEqual({
      exitCode: 1,
      said: "1244 of 1244 messages, 61 of 62 batches\n",
      complained: "batches, line 2: plain batch, codec none: leaderEpoch: read with another value\n"
    })
  })

  test("says that a file is not there", () => {
    const { exitCode, complained } = run("--messages", join(directory, "nothing.jsonl"))
    expect(exitCode).toBe(1)
    expect(complained).toContain("nothing.jsonl")
  })
})
