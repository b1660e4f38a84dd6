import { expect } from "bun:test"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { franzDoes, type Node, up } from "./support/franz.ts"
import { consoleConsumer, dumpLogSegments, javaTool, linesOf, runKcat, testWith } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

/** The full test is FRANZ_COMPACTION_RECORDS=1000000 FRANZ_COMPACTION_KEYS=10000: some minutes. */
const records = Number(process.env.FRANZ_COMPACTION_RECORDS ?? 100_000)
const keys = Number(process.env.FRANZ_COMPACTION_KEYS ?? 2_000)
const kills = 4
const topic = "compacted"
const codecs = ["none", "lz4", "zstd", "gzip"]

/** The key of each record: all come about equally often, in an order without a pattern. */
const keyOf = (i: number): string => `key-${(i * 7919 + (i % 13) * 31) % keys}`
const valueOf = (i: number): string => `value ${i} of ${keyOf(i)}, ${(i * 2_654_435_761) % 4_294_967_296}`

const settings = ["log.cleaner.backoff.ms=100", "log.segment.delete.delay.ms=60000"]
const slow = (bytesPerSecond: number) => [...settings, `log.cleaner.io.max.bytes.per.second=${bytesPerSecond}`].flatMap((setting) => ["-X", setting])

/** The directory of the one partition. */
const partitionIn = (data: string): string => {
  const broker = join(data, "broker-0")
  return join(broker, readdirSync(broker).find((name) => /^[\w-]{22}-0$/.test(name)) ?? "no directory named by a topic id")
}
const cleanEnd = (directory: string): number => {
  const note = join(directory, "compaction")
  return existsSync(note) ? Number(/^clean (\d+)$/m.exec(readFileSync(note, "utf8"))?.[1] ?? 0) : 0
}
const bytesIn = (directory: string): number =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
const isCompacting = (directory: string): boolean => readdirSync(directory).some((name) => /\.(cleaned|swap)$/.test(name))

testWith(
  ["kcat", "java"],
  `a compacted topic of ${records} records over ${keys} keys keeps exactly the last value of each, through kill -9 in the middle of compaction`,
  async () => {
    const data = temporaryDirectory()
    let node: Node = await up(data.path, ...slow(1000))
    const configs = ["cleanup.policy=compact", `segment.bytes=${Math.max(1_000_000, records)}`, "min.cleanable.dirty.ratio=0.01", "segment.ms=600000"]
    await franzDoes(["topic", "create", topic, "--leader", node.address, ...configs.flatMap((config) => ["--config", config])])
    const produce = (name: string, lines: ReadonlyArray<string>, codec: string) => {
      const file = join(data.path, name)
      writeFileSync(file, `${lines.join("\n")}\n`)
      return runKcat([
        "-b",
        node.address,
        "-P",
        "-t",
        topic,
        "-K",
        "\t",
        "-z",
        codec,
        "-X",
        "enable.idempotence=true",
        "-X",
        "batch.num.messages=1000",
        "-l",
        file
      ])
    }
    // One producer after the other, each in a codec of its own: offset and number are the same.
    const part = Math.ceil(records / codecs.length)
    for (const [at, codec] of codecs.entries()) {
      const numbers = Array.from({ length: Math.min(part, records - at * part) }, (_, i) => at * part + i)
      await produce(
        "part",
        numbers.map((i) => `${keyOf(i)}\t${valueOf(i)}`),
        codec
      )
    }
    // The active segment is never compacted: a shorter segment.ms ends it with the next record, which is the only one that stays there.
    await franzDoes(["topic", "config", topic, "--set", "segment.ms=1", "--leader", node.address])
    await produce("end", ["end\tend"], "none")
    const directory = partitionIn(data.path)
    const bytesBefore = bytesIn(directory)

    let seen = 0
    for (let kill = 0; kill < kills; kill++) {
      await node.process.kill("SIGKILL")
      // Slow enough that the kill happens during compaction, each time at a later position.
      node = await up(data.path, ...slow(bytesBefore / (4 - kill)))
      await until("a round of compaction", () => isCompacting(directory) || cleanEnd(directory) >= records)
      await Bun.sleep(150 * kill)
      if (isCompacting(directory)) seen++
    }
    await node.process.kill("SIGKILL")
    node = await up(data.path, ...slow(1_000_000_000))
    await until("the end of compaction", () => cleanEnd(directory) >= records, 240_000)
    await node.process.kill("SIGKILL")
    node = await up(data.path, ...slow(1_000_000_000))
    console.log(`compaction: killed ${kills + 2} times, ${seen} of them while files were being replaced; ${bytesBefore} bytes became ${bytesIn(directory)}`)
    expect(seen).toBeGreaterThan(0)

    const last = new Map<string, number>()
    for (let i = 0; i < records; i++) last.set(keyOf(i), i)
    const expected = [...last]
      .map(([key, i]) => `${i} ${key} ${valueOf(i)}`)
      .concat(`${records} end end`)
      .sort()
    const kcat = linesOf(await runKcat(["-b", node.address, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %k %s\\n"]))
    expect(kcat.length).toBe(expected.length)
    expect(kcat.toSorted()).toEqual(expected)
    const java = linesOf(
      await javaTool(consoleConsumer, [
        ...["--bootstrap-server", node.address, "--topic", topic, "--from-beginning", "--max-messages", String(expected.length)],
        ...["--formatter-property", "print.offset=true", "--formatter-property", "print.key=true", "--formatter-property", "key.separator= "]
      ])
    ).map((line) => line.replace(/^Offset:/, ""))
    expect(java.toSorted()).toEqual(expected)
    const ours = linesOf(await franzDoes(["consume", topic, "--from", "start", "--exit-at-end", "--json", "--leader", node.address])).map((line) => {
      const { key, offset, value } = JSON.parse(line) as { readonly key: string; readonly offset: number; readonly value: string }
      return `${offset} ${key} ${value}`
    })
    expect(ours.toSorted()).toEqual(expected)

    await node.process.kill("SIGTERM")
    expect(await franzDoes(["log", "verify", data.path])).toContain("logs are right")
    const files = readdirSync(directory).filter((name) => /^\d{20}\.(log|index|timeindex)$/.test(name))
    const dumped = linesOf(
      await javaTool(dumpLogSegments, ["--files", files.map((name) => join(directory, name)).join(","), "--deep-iteration", "--print-data-log"])
    )
    // A compacted log has gaps: Kafka's tool reports them for Kafka's own logs, too.
    expect(dumped.filter((line) => /Found|mismatch|isvalid: false|corrupt/i.test(line) && !line.startsWith("|"))).toEqual([])
    expect(dumped.filter((line) => line.startsWith("| offset")).length).toBe(expected.length)
    data.remove()
  },
  900_000
)
