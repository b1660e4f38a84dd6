import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Either, Layer, Schema } from "effect"
import { layer as journalOverLog } from "../../../../adapters/journal/over-log.ts"
import { layer as fileStore } from "../../../../adapters/log/file/layer.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { clusterDecider } from "../../../../domain/cluster/decide.ts"
import { Event } from "../../../../domain/cluster/event.ts"
import { BrokerId } from "../../../../domain/kernel/id.ts"
import { runProgram } from "../../../../src/cli/shell/shell.ts"
import { clusterAggregate, clusterStream } from "../../../../src/leader/journal/cluster-aggregate.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { LogStore } from "../../../../src/ports/log-store.ts"
import { commands } from "../../../../src/programs/commands.ts"
import { writeSnapshot } from "../../../../src/stream/snapshot.ts"
import { printed } from "../../cli/support.ts"
import { batch, checksum, smallConfig, topicId } from "../../ports/log-batches.ts"

let base = ""
let original = ""
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "franz-log-tool-"))
  original = join(base, "original")
  await Effect.runPromise(Effect.scoped(Effect.zipRight(writeBroker(join(original, "broker-1")), writeLeader(join(original, "leader")))))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

const storeAt = (directory: string) => Effect.map(Layer.build(Layer.provide(fileStore({ directory }), checksum)), (context) => Context.get(context, LogStore))

const writeBroker = (directory: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* storeAt(directory)
      const log = yield* store.open(topicId, 0, smallConfig)
      for (let n = 0; n < 30; n++) {
        Either.getOrThrow(log.append([batch(log.end(), 1 + (n % 3), 100)]))
        yield* log.sync
      }
    })
  )

/** What a young leader journals: its cluster's id, and that it leads; with a snapshot before the last entry. */
const events = [
  Command.FoundCluster({ clusterId: "AAAAAAAAAAAAAAAAAAAAAA" }),
  Command.ElectLeader({ nodeId: BrokerId.make(0), host: "127.0.0.1", port: 9092, epoch: 1 })
].flatMap((command) => Either.getOrThrow(clusterDecider.decide(clusterDecider.initial, command)))
const writeLeader = (directory: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* storeAt(directory)
      const context = yield* Layer.build(Layer.provide(journalOverLog, Layer.merge(Layer.succeed(LogStore, store), checksum)))
      const journal = Context.get(context, Journal)
      const { epoch } = yield* journal.campaign(clusterStream, { nodeId: 0 })
      let state = clusterDecider.initial
      for (const [index, event] of events.entries()) {
        const value = new TextEncoder().encode(JSON.stringify(Schema.encodeSync(Event)(event)))
        yield* journal.append(clusterStream, epoch, index, [{ commandId: `c${index}`, actor: "leader", cause: "start", type: event._tag, value }])
        state = clusterDecider.evolve(state, event)
      }
      yield* journal.saveSnapshot(clusterStream, { index: events.length, value: writeSnapshot(clusterAggregate, state, []) })
    })
  )

const program = { name: "franz", version: "1.2.3", summary: "tries", commands }
const franz = async (...words: ReadonlyArray<string>) => {
  let code = -1
  let text = ""
  const errors = await printed("stderr", async () => {
    text = await printed("stdout", async () => {
      code = await Effect.runPromise(runProgram(program, words))
    })
  })
  return { code, text, errors }
}
let copies = 0
const copy = (): string => {
  const to = join(base, `copy-${copies++}`)
  cpSync(original, to, { recursive: true })
  return to
}
const partition = (directory: string): string => join(directory, "broker-1", `${topicId}-0`)
const segments = (directory: string): ReadonlyArray<string> =>
  readdirSync(partition(directory))
    .filter((name) => name.endsWith(".log"))
    .sort()
const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] as number) ^ 0xff
  writeFileSync(path, bytes)
}

describe("franz log verify", () => {
  test("a whole cluster's directory: a line for each log, exit code 0", async () => {
    const { code, errors, text } = await franz("log", "verify", original)
    expect(errors).toBe("")
    expect(code).toBe(0)
    expect(text).toContain(`__cluster_metadata  ok  offsets 0-${events.length - 1}`)
    expect(text).toContain(`${events.length} events folded`)
    expect(text).toContain(`${topicId}-0  ok  offsets 0-59`)
    expect(text).toContain("2 logs are right.")
  })
  test("one node's directory, and one partition's", async () => {
    expect((await franz("log", "verify", join(original, "broker-1"))).text).toContain("1 log is right.")
    expect((await franz("log", "verify", partition(original))).text).toContain("1 log is right.")
  })
  test("changes nothing", async () => {
    const directory = copy()
    flip(join(partition(directory), segments(directory)[1] as string), 90)
    const contents = () => readdirSync(partition(directory)).map((name) => [name, readFileSync(join(partition(directory), name), "hex")])
    const before = contents()
    await franz("log", "verify", directory)
    await franz("log", "repair", directory)
    expect(contents()).toEqual(before)
  })
  test("damage: where it is, what it means, what to do; exit code 65", async () => {
    const directory = copy()
    const file = join(partition(directory), segments(directory)[1] as string)
    flip(file, 90)
    const { code, errors, text } = await franz("log", "verify", directory)
    expect(code).toBe(65)
    expect(text).toContain(`${file}, byte 0, offset ${Number(segments(directory)[1]?.slice(0, 20))}`)
    expect(text).toContain("no torn end")
    expect(text).toContain("put it back")
    expect(errors).toContain("1 of 2 logs")
    const lines = (await franz("log", "verify", directory, "--json")).text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { ok: boolean; findings: Array<{ file: string }> })
    expect(lines.map(({ ok }) => ok)).toEqual([true, false])
    expect(lines[1]?.findings[0]).toMatchObject({ kind: "batch", file, position: 0 })
  })
  test("a directory that a node holds is refused, and read with --force-read", async () => {
    const directory = copy()
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          yield* storeAt(join(directory, "broker-1"))
          for (const name of ["lock", "lock.holder"]) rmSync(join(directory, "broker-1", name))
          const refused = yield* Effect.promise(() => franz("log", "verify", directory))
          expect(refused.code).toBe(73)
          expect(refused.errors).toContain("--force-read")
          expect((yield* Effect.promise(() => franz("log", "repair", directory, "--execute"))).code).toBe(73)
          const read = yield* Effect.promise(() => franz("log", "verify", directory, "--force-read"))
          expect(read.code).toBe(0)
          expect(read.errors).toContain("may look torn")
        })
      )
    )
  })
  test("what is no data directory", async () => {
    expect(await franz("log", "verify", join(base, "nowhere"))).toMatchObject({ code: 2, errors: expect.stringContaining("There is no directory") })
    expect(await franz("log", "verify", tmpdir().split("/").slice(0, 1).join("/") || "/")).toMatchObject({ code: 2 })
  })
  test("a journal whose snapshot is not what its entries come to (M2), or whose entries are gone (M1)", async () => {
    const directory = copy()
    const other = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* storeAt(join(directory, "leader"))
          const [stored = new Uint8Array(0)] = yield* store.readCheckpoint("journal-cluster.snapshot")
          const text = new TextDecoder().decode(stored.subarray(8)).replace("127.0.0.1", "127.0.0.2")
          yield* store.writeCheckpoint("journal-cluster.snapshot", new Uint8Array([...stored.subarray(0, 8), ...new TextEncoder().encode(text)]))
          return text
        })
      ).pipe(Effect.provide(checksum))
    )
    const changed = await franz("log", "verify", directory)
    expect(other).toContain("127.0.0.2")
    expect(changed.code).toBe(65)
    expect(changed.text).toContain("is not the fold of the entries before it")
    const cut = copy()
    const journal = join(cut, "leader", "AAAAAAAAAAAAAAAAAAAAAQ-0", "00000000000000000000.log")
    flip(journal, 70)
    const gone = await franz("log", "verify", cut)
    expect(gone.text).toContain("before its own snapshot")
    const repaired = await franz("log", "repair", cut, "--execute")
    expect(repaired.code).toBe(65)
    expect(repaired.text).toContain("Put a copy of the leader's directory back")
  })
})

describe("franz log repair", () => {
  test("says what it would do, does it with --execute, keeps what it cut; afterwards all is right and the log opens", async () => {
    const directory = copy()
    const names = segments(directory)
    const file = join(partition(directory), names[1] as string)
    flip(file, 300)
    const said = await franz("log", "repair", directory)
    expect(said.code).toBe(65)
    expect(said.text).toContain(`would: cut ${file}`)
    expect(said.text).toContain("LOSES offsets")
    expect(said.errors).toContain("No file was changed.")
    const done = await franz("log", "repair", directory, "--execute")
    expect(done.code).toBe(0)
    expect(done.text).toContain(`kept: ${file}.cut-`)
    expect((await franz("log", "verify", directory)).code).toBe(0)
    expect((await franz("log", "repair", directory)).code).toBe(0)
    const kept = readdirSync(partition(directory)).find((name) => name.startsWith(`${names[2]}.cut-`)) as string
    expect(readFileSync(join(partition(directory), kept))).toEqual(readFileSync(join(partition(original), names[2] as string)))
    expect((await franz("log", "dump", join(partition(directory), kept))).code).toBe(0)
    const end = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const log = yield* (yield* storeAt(join(directory, "broker-1"))).open(topicId, 0, smallConfig)
          Either.getOrThrow(log.append([batch(log.end(), 1)]))
          yield* log.sync
          return log.end()
        })
      ).pipe(Effect.provide(checksum))
    )
    expect(end).toBeGreaterThan(Number(names[1]?.slice(0, 20)))
    expect((await franz("log", "verify", directory)).code).toBe(0)
  })
})

describe("franz log dump", () => {
  test("batches, records, indexes", async () => {
    const file = join(partition(original), "00000000000000000000.log")
    const batches = await franz("log", "dump", file)
    expect(batches.code).toBe(0)
    expect(batches.text).toStartWith("@0  offsets 0-0  records 1")
    const records = (await franz("log", "dump", file, "--records", "--json")).text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; offset?: number })
    expect(records.filter(({ type }) => type === "record").map(({ offset }) => offset)).toEqual(
      records.filter(({ type }) => type === "record").map((_, at) => at)
    )
    expect((await franz("log", "dump", file.replace(".log", ".index"))).text).toMatch(/^0 {2}offset \d+ {2}byte \d+\n/)
    expect((await franz("log", "dump", file.replace(".log", ".timeindex"))).text).toMatch(/^0 {2}timestamp \d+/)
  })
  test("what is damaged is said, what follows is printed, exit code 65", async () => {
    const directory = copy()
    const file = join(partition(directory), "00000000000000000000.log")
    flip(file, 70)
    const { code, text } = await franz("log", "dump", file)
    expect(code).toBe(65)
    expect(text).toMatch(/^@0 {2}DAMAGED up to byte \d+: The batch says CRC .*\n@\d+ {2}offsets 1-2/)
  })
  test("a file that is no segment", async () => {
    expect(await franz("log", "dump", join(original, "leader", "meta.properties"))).toMatchObject({ code: 2, errors: expect.stringContaining("is no segment") })
  })
})
