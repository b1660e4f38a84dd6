import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Logger } from "effect"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { seed } from "../../seed.ts"
import { Damaged, filesOf, linkTo, makeOriginal, objection, outcomeOf, up } from "./damage-world.ts"

let original = ""
beforeAll(async () => {
  original = await makeOriginal()
}, 300_000)
afterAll(() => rmSync(original, { recursive: true, force: true }))

const clusterLog = "leader/AAAAAAAAAAAAAAAAAAAAAQ-0/00000000000000000000.log"
const groupLog = "leader/AAAAAAAAAAAAAAAAAAAAAg-0/00000000000000000000.log"

/** Where the `n`th batch of a log file begins. */
const batchAt = (bytes: Buffer, n: number): number => {
  let at = 0
  for (let i = 0; i < n; i++) at += 12 + bytes.readInt32BE(at + 8)
  return at
}
const flip =
  (at: number, bit = 0) =>
  (bytes: Buffer) => {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
    return bytes
  }
const flipBatch = (n: number) => (bytes: Buffer) => flip(batchAt(bytes, n) + 70)(bytes)
const zeroed = (bytes: Buffer) => Buffer.alloc(bytes.length)

/** What the node does on a copy that `damage` changed. */
const after = async (damage: (copy: Damaged) => void) => {
  const copy = new Damaged(original)
  try {
    damage(copy)
    return { directory: copy.directory, outcome: await outcomeOf(copy.directory) }
  } finally {
    copy.end()
  }
}

/** One round takes a third of a second: FRANZ_DAMAGE_ROUNDS=5000 for half an hour of them. */
const rounds = Number(process.env["FRANZ_DAMAGE_ROUNDS"] ?? 15)

describe("a start over a data directory that is damaged", () => {
  test("the directory itself is served", async () => {
    const { directory, outcome } = await after(() => undefined)
    expect(objection(directory, "", outcome)).toBeUndefined()
    expect(outcome.exit).toBeUndefined()
  }, 300_000)

  test("a leader's directory without its journal is refused, and stays without one", async () => {
    const copy = new Damaged(original)
    try {
      const leader = join(copy.directory, "leader")
      const isJournal = (name: string) => name.startsWith("AAAA") || name.startsWith("journal-")
      const files = () => [...readdirSync(leader), ...readdirSync(join(leader, "checkpoints"))].filter(isJournal)
      for (const name of files())
        for (const path of [`leader/${name}`, `leader/checkpoints/${name}`]) if (existsSync(join(copy.directory, path))) copy.remove(path)
      const { exit, message } = await outcomeOf(copy.directory)
      expect([exit, message]).toEqual(["data", expect.stringMatching(/the events of that cluster are gone. Nothing was changed/)])
      expect(files()).toEqual([])
    } finally {
      copy.end()
    }
  }, 300_000)

  test.each([
    ["a batch of the cluster's journal before its snapshot", (copy: Damaged) => copy.change(clusterLog, flipBatch(2)), clusterLog],
    ["the last batch of the cluster's journal", (copy: Damaged) => copy.change(clusterLog, (bytes) => flip(bytes.length - 5)(bytes)), clusterLog],
    ["a batch of a group's stream before its snapshot", (copy: Damaged) => copy.change(groupLog, flipBatch(1)), groupLog],
    ["a journal of zeros", (copy: Damaged) => copy.change(clusterLog, zeroed), clusterLog],
    ["a journal that is cut", (copy: Damaged) => copy.change(clusterLog, (bytes) => bytes.subarray(0, bytes.length - 100)), clusterLog],
    ["a journal without its segment", (copy: Damaged) => copy.remove(clusterLog), "leader/AAAAAAAAAAAAAAAAAAAAAQ-0"],
    ["a journal that is gone", (copy: Damaged) => copy.remove("leader/AAAAAAAAAAAAAAAAAAAAAQ-0"), "leader/AAAAAAAAAAAAAAAAAAAAAQ-0"],
    ["a group's stream that is gone", (copy: Damaged) => copy.remove("leader/AAAAAAAAAAAAAAAAAAAAAg-0"), "leader/AAAAAAAAAAAAAAAAAAAAAg-0"],
    ["a leader's directory that is gone", (copy: Damaged) => copy.remove("leader"), "broker-0"],
    [
      "a journal in the place of another",
      (copy: Damaged) => copy.change(clusterLog, () => readFileSync(join(copy.directory, groupLog))),
      "leader/AAAAAAAAAAAAAAAAAAAAAQ-0"
    ],
    [
      "both copies of the journal's snapshot",
      (copy: Damaged) => [0, 1].forEach((slot) => copy.change(`leader/checkpoints/journal-cluster.snapshot.${slot}`, flip(60))),
      "leader/checkpoints/journal-cluster.snapshot"
    ],
    [
      "both copies of a broker's checkpoint",
      (copy: Damaged) => [0, 1].forEach((slot) => copy.change(`broker-0/checkpoints/log-start-offsets.${slot}`, zeroed)),
      "broker-0/checkpoints/log-start-offsets"
    ]
  ])(
    "%s: exit 65 with the path and what to do",
    async (_, damage, named) => {
      const { directory, outcome } = await after(damage)
      expect(outcome).toMatchObject({ isStuck: false, exit: "data" })
      expect(outcome.message).toContain(join(directory, named))
      expect(objection(directory, named, outcome)).toBeUndefined()
    },
    300_000
  )

  test("one copy of a checkpoint: the other is used, and the line names the first", async () => {
    const file = "leader/checkpoints/journal-cluster.snapshot.0"
    const { directory, outcome } = await after((copy) => copy.change(file, flip(60)))
    expect(objection(directory, file, outcome)).toBeUndefined()
    expect(outcome.exit).toBeUndefined()
    expect(outcome.log.filter((line) => line.includes(join(directory, file)))).toHaveLength(1)
  }, 300_000)

  test("a lock file that a program wrote into is made again", async () => {
    const { directory, outcome } = await after((copy) => copy.change("leader/lock", () => Buffer.alloc(300, 7)))
    expect(objection(directory, "", outcome)).toBeUndefined()
    expect(outcome.exit).toBeUndefined()
  }, 300_000)

  test("any single bit of any file: it serves all that was acknowledged, or says what is damaged", async () => {
    let state = seed
    /** From 0 to `below`; a linear congruential generator. */
    const draw = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const files = filesOf(original).filter((file) => readFileSync(join(original, file)).length > 0)
    for (let n = 0; n < rounds; n++) {
      const file = files[draw(files.length)] ?? ""
      const at = draw(readFileSync(join(original, file)).length)
      const bit = draw(8)
      const { directory, outcome } = await after((copy) => copy.change(file, flip(at, bit)))
      const wrong = objection(directory, file, outcome)
      if (wrong !== undefined) throw new Error(`FRANZ_SEED=${seed}, round ${n}: bit ${bit} of byte ${at} of ${file}: ${wrong}`)
    }
  }, 86_400_000)
})

test("a journal that is damaged while the node runs stops it with exit 65 as soon as a broker reads that part", async () => {
  const copy = new Damaged(original)
  try {
    const file = join(copy.directory, clusterLog)
    const failure = await Effect.runPromise(
      Effect.gen(function* () {
        const running = yield* up(copy.directory)
        writeFileSync(file, flipBatch(2)(readFileSync(file)), { flag: "r+" })
        const link = yield* linkTo(running.nodes[0]?.address ?? "")
        const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }]
        yield* Effect.ignore(link.call(Fetch, { maxWaitMs: 0, minBytes: 1, topics: [{ topic: metadataTopic, partitions }] }, { version: 12 }))
        return yield* Effect.flip(running.stopped)
      }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)))
    )
    expect(failure).toMatchObject({ exit: "data" })
    expect(failure.message).toContain(`franz log verify ${copy.directory}/leader/AAAAAAAAAAAAAAAAAAAAAQ-0`)
  } finally {
    copy.end()
  }
}, 300_000)
