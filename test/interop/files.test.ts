import { describe, expect } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { franzDoes, up } from "./support/franz.ts"
import { dumpLogSegments, javaTool, lines, linesOf, testWith } from "./support/peers.ts"
import { temporaryDirectory } from "./support/process.ts"

/** Must show 7: Kafka's own tool reads our segments and indexes. */
describe("the files of a partition", () => {
  testWith(["java"], "DumpLogSegments reads every segment and index without complaint", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path, "-X", "log.segment.bytes=300000")
    await franzDoes(["topic", "create", "files", "--leader", node.address])
    for (const codec of ["none", "zstd", "lz4"])
      await franzDoes(["produce", "files", "--compression", codec, "--leader", node.address], `${lines.join("\n")}\n`)
    await node.process.kill("SIGTERM")

    const broker = join(data.path, "broker-0")
    const partition = readdirSync(broker).find((name) => /^[\w-]{22}-0$/.test(name)) ?? "no directory named by a topic id"
    const files = readdirSync(join(broker, partition)).filter((name) => /^\d{20}\.(log|index|timeindex)$/.test(name))
    expect(files.filter((name) => name.endsWith(".log")).length).toBeGreaterThan(2)
    const dumped = await javaTool(dumpLogSegments, [
      "--files",
      files.map((name) => join(broker, partition, name)).join(","),
      "--deep-iteration",
      "--print-data-log"
    ])
    const snapshots = readdirSync(join(broker, partition)).filter((name) => name.endsWith(".snapshot"))
    expect(snapshots.length).toBeGreaterThan(1)
    const producers = await javaTool(dumpLogSegments, ["--files", snapshots.map((name) => join(broker, partition, name)).join(",")])
    // The three runs of `franz produce` are three producers, and the last snapshot knows them all.
    expect(linesOf(producers).filter((line) => line.startsWith("producerId: ")).length).toBeGreaterThanOrEqual(3)
    expect(producers).not.toMatch(/corrupt|exception/i)
    expect(readFileSync(join(broker, partition, "leader-epoch-checkpoint"), "utf8")).toMatch(/^0\n1\n\d+ 0\n$/)
    // The tool prints "-1 is followed by N" for every segment that does not begin at 0, also for Kafka's own.
    const complaints = linesOf(dumped).filter(
      (line) =>
        /Found|mismatch|isvalid: false|corrupt|Non-consecutive|followed by/i.test(line) &&
        !line.startsWith("|") &&
        !/Non-consecutive offsets in|^ {2}-1 is followed by/.test(line)
    )
    expect(complaints).toEqual([])
    expect(linesOf(dumped).filter((line) => line.startsWith("| offset")).length).toBe(3 * lines.length)
    data.remove()
  })
})
