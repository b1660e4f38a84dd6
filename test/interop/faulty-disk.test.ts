import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { franz, franzDoes, ready } from "./support/franz.ts"
import { consoleProduce, javaTool, linesOf, testWith } from "./support/peers.ts"
import { Run, root, temporaryDirectory } from "./support/process.ts"
import { RawConnection } from "./support/raw.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

const faulty = (fault: string, ...args: ReadonlyArray<string>): Run => Run.start(process.execPath, [join(root, "scripts/faulty-disk.ts"), fault, "--", ...args])
/** Sends one record with acks=all and returns the result. */
const send = async (port: number, name: string, value: string, index = 0): Promise<string> => {
  const connection = await RawConnection.open(port)
  const records = encodeBatch(
    { codec: "none", records: [{ timestamp: Date.now(), key: null, value: new TextEncoder().encode(value), headers: [] }] },
    { crc32c, compress: (_, part) => part }
  )
  const answer = await connection.call(Produce, 11, { acks: -1, timeoutMs: 30_000, topicData: [{ name, partitionData: [{ index, records }] }] })
  connection.close()
  return kafkaError(answer.responses[0]?.partitionResponses[0]?.errorCode ?? 0)
}
const again = "Look at the disk, then start this node again."
const notRepeated = "A sync that failed is not repeated, since it is unknown what the disk holds."

describe("a disk whose sync fails, under real processes", () => {
  test("one of two directories: it goes offline with its partitions, the others serve, and all acknowledged records exist after a restart", async () => {
    const [a, b] = [join(data.path, "one/a"), join(data.path, "one/b")]
    const node = await ready(faulty("sync /one/a/broker-0/*.log EIO", "up", "--port", "0", "--data", `${a},${b}`))
    await franzDoes(["topic", "create", "orders", "--partitions", "4", "--leader", node.address])
    const acked: Array<string> = []
    const errors: Array<string> = []
    for (let partition = 0; partition < 4; partition++) {
      const error = await send(node.port, "orders", `m-${partition}`, partition)
      if (error === "NONE") acked.push(`m-${partition}`)
      else errors.push(error)
    }
    expect(errors).toEqual(["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "KAFKA_STORAGE_ERROR"])
    await node.process.says(
      new RegExp(
        `The data directory ${a}/broker-0 is offline: could not sync ${a}/broker-0/\\S+/00000000000000000000.log: EIO: planted fault, sync '\\S+'\\. ${notRepeated} ${again} Its partitions answer KAFKA_STORAGE_ERROR; the broker still serves the other directories\\.`
      )
    )
    const dirs = linesOf(await franzDoes(["cluster", "dirs", "--json", "--leader", node.address])).map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(dirs.map(({ error, path }) => [path, error])).toEqual([
      [`${a}/broker-0`, "KAFKA_STORAGE_ERROR"],
      [`${b}/broker-0`, "NONE"]
    ])
    await node.process.kill("SIGTERM")
    const well = await ready(franz("up", "--port", "0", "--data", `${a},${b}`))
    const found = linesOf(await franzDoes(["consume", "orders", "--from", "start", "--exit-at-end", "--leader", well.address]))
    for (const each of acked) expect(found.join("\n")).toContain(each)
    await well.process.kill("SIGTERM")
  }, 120_000)

  test("the only directory of a broker: the broker logs the cause and exits with 74", async () => {
    const directory = join(data.path, "alone")
    const node = await ready(faulty("sync /alone/broker-0/*.log EIO", "up", "--port", "0", "--data", directory))
    await franzDoes(["topic", "create", "orders", "--leader", node.address])
    expect(await send(node.port, "orders", "m")).toBe("NOT_ENOUGH_REPLICAS_AFTER_APPEND")
    const ended = await node.process.end()
    expect(ended.code).toBe(74)
    expect(ended.stderr).toContain(`Broker 0 stops: its data directory is offline. The data directory ${directory}/broker-0 is offline: could not sync`)
    expect(ended.stderr).toContain(`${notRepeated} ${again}`)
  }, 120_000)

  test("the leader's journal: the leader logs the cause and exits with 74; it continues with the same files after a restart", async () => {
    const directory = join(data.path, "journal")
    const leader = await ready(faulty("sync /journal/AAAAAAAAAAAAAAAAAAAAAQ-0/*.log EIO after 8", "brokerlead", "--port", "0", "--data", directory))
    const broker = franz("broker", "--id", "1", "--port", "0", "--leader", leader.address, "--data", join(data.path, "journals-broker"))
    let isOver = false
    const making = (async () => {
      for (let n = 0; n < 20 && !isOver; n++) await franz("topic", "create", `t-${n}`, "--leader", leader.address).end()
    })()
    const ended = await leader.process.end()
    isOver = true
    expect(ended.code).toBe(74)
    expect(ended.stderr).toContain(`The leader stops: its journal cannot be trusted. The data directory ${directory} is offline: could not sync ${directory}/`)
    expect(ended.stderr).toContain(`${notRepeated} ${again}`)
    await making
    const well = await ready(franz("brokerlead", "--port", "0", "--data", directory))
    await franzDoes(["cluster", "describe", "--leader", well.address])
    await well.process.kill("SIGTERM")
    await broker.kill("SIGKILL")
  }, 120_000)
})

testWith(["java"], "Kafka's own kafka-log-dirs reads the directories, their logs and their bytes", async () => {
  const [a, b] = [join(data.path, "java/a"), join(data.path, "java/b")]
  const node = await ready(franz("up", "--port", "0", "--data", `${a},${b}`, "--partitions", "4"))
  await consoleProduce(node.address, "orders", "one\ntwo\n")
  const said = await javaTool("org.apache.kafka.tools.LogDirsCommand", ["--bootstrap-server", node.address, "--describe"])
  const described = JSON.parse(linesOf(said).find((line) => line.startsWith("{")) ?? "{}") as {
    brokers: ReadonlyArray<{
      logDirs: ReadonlyArray<{
        logDir: string
        error: string | null
        partitions: ReadonlyArray<{ partition: string; size: number; offsetLag: number; isFuture: boolean }>
      }>
    }>
  }
  const [broker] = described.brokers
  expect(broker?.logDirs.map(({ error, logDir }) => [logDir, error]).toSorted()).toEqual([
    [`${a}/broker-0`, null],
    [`${b}/broker-0`, null]
  ])
  const logs = broker?.logDirs.flatMap(({ partitions }) => partitions) ?? []
  expect(logs.map(({ partition }) => partition).toSorted()).toEqual(["orders-0", "orders-1", "orders-2", "orders-3"])
  expect(logs.reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(60)
  expect(logs.every(({ isFuture, offsetLag }) => !isFuture && offsetLag === 0)).toBe(true)
  await node.process.kill("SIGTERM")
})
