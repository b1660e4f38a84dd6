import { afterAll, expect, test } from "bun:test"
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs"
import { join } from "node:path"
import { franz, franzDoes, up } from "./support/franz.ts"
import { temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

const flip = (path: string, position: number, mask: number): void => {
  const file = openSync(path, "r+")
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, position)
  writeSync(file, Buffer.from([(byte[0] as number) ^ mask]), 0, 1, position)
  closeSync(file)
}

test("a running node detects a flipped bit of a leader epoch in a sealed segment, and the operator repairs the log", async () => {
  const directory = join(data.path, "cluster")
  const start = () => up(directory, "-X", "log.scrub.interval.ms=200", "-X", "log.segment.bytes=2000")
  let node = await start()
  const franzAt = (...words: ReadonlyArray<string>) => franz(...words, "--leader", node.address)
  for (const topic of ["orders", "others"]) await franzDoes(["topic", "create", topic, "--leader", node.address])
  const lines = Array.from({ length: 40 }, (_, n) => `message ${n} ${"x".repeat(100)}`)
  // One after the other, so that there are many batches.
  for (const topic of ["orders", "others"])
    for (let at = 0; at < lines.length; at += 10) await franzDoes(["produce", topic, "--leader", node.address], `${lines.slice(at, at + 10).join("\n")}\n`)

  const logs = readdirSync(join(directory, "broker-0")).filter((name) => /^[\w-]{22}-0$/.test(name))
  const sealed = logs
    .map((name) => join(directory, "broker-0", name))
    .map((log) => ({
      log,
      files: readdirSync(log)
        .filter((name) => name.endsWith(".log"))
        .sort()
    }))
    .filter(({ files }) => files.length > 1)
  expect(sealed.length).toBe(2)
  const [{ files, log } = { files: [], log: "" }] = sealed
  const segment = join(log, files[0] ?? "")
  flip(segment, 13, 1)

  await node.process.says(/is offline: Produce and Fetch get KAFKA_STORAGE_ERROR, other partitions are served/)
  const said = `${node.process.stdout}${node.process.stderr}`
  for (const part of [
    `${segment} is damaged at byte 13`,
    "bit 0 of byte 13 was turned over: it belongs to the leader epoch of the batch that starts at byte 0",
    `franz log verify ${log}`,
    `franz log repair ${log} --execute`
  ])
    expect(said).toContain(part)
  const damaged = /(orders|others)-0 is offline/.exec(said)?.[1] ?? ""
  const other = damaged === "orders" ? "others" : "orders"
  const read = async (topic: string) => (await franzAt("consume", topic, "--from", "start", "--exit-at-end").end()).stdout.split("\n").filter(Boolean).length
  expect(await read(other)).toBe(40)

  await node.process.kill("SIGTERM")
  const verified = await franz("log", "verify", directory).end()
  expect(verified.code).toBe(65)
  expect(verified.stdout).toContain("bit 0 of byte 13 was turned over")

  // The next start knows the damage without reading all segments.
  node = await start()
  await node.process.says(/cannot be opened: .* is damaged at byte 13/)
  expect(await read(other)).toBe(40)
  await node.process.kill("SIGTERM")

  const planned = await franz("log", "repair", log).end()
  expect(planned).toMatchObject({ code: 65, stdout: expect.stringContaining("would: turn bit 0 of byte 13") })
  expect((await franz("log", "repair", log, "--execute").end()).code).toBe(0)
  expect((await franz("log", "verify", directory).end()).code).toBe(0)
  node = await start()
  for (const topic of ["orders", "others"]) expect(await read(topic)).toBe(40)
  await node.process.kill("SIGTERM")
}, 120_000)
