import { afterAll, describe, expect, test } from "bun:test"
import { copyFileSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ready } from "./support/franz.ts"
import { lines, linesOf, sorted } from "./support/peers.ts"
import { Run, root, run, temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

/** Leader, broker, producer and consumer on each runtime: the consumer reads the produced lines. */
const worksWith = async (start: (role: string, args: ReadonlyArray<string>) => Run, name: string, cwd: string, env: Readonly<Record<string, string>>) => {
  const leader = await ready(start("brokerlead", ["--port", "0", "--data", join(data.path, name, "leader")]))
  const broker = await ready(start("broker", ["--id", "1", "--port", "0", "--leader", leader.address, "--data", join(data.path, name, "broker")]))
  const does = async (input: string | undefined, role: string, ...args: ReadonlyArray<string>) => {
    const process = start(role, args)
    process.child.stdin?.end(input ?? "")
    const ended = await process.end()
    if (ended.code !== 0) throw new Error(`${process.command} in ${cwd} with ${JSON.stringify(env)}: ${ended.code}\n${ended.stdout}${ended.stderr}`)
    return ended.stdout
  }
  await does(undefined, "franz", "topic", "create", "lines", "--partitions", "3", "--leader", leader.address)
  await does(`${lines.join("\n")}\n`, "franz", "produce", "lines", "--compression", "lz4", "--leader", leader.address)
  const read = linesOf(await does(undefined, "franz", "consume", "lines", "--from", "start", "--exit-at-end", "--leader", leader.address))
  expect(sorted(read)).toEqual(sorted(lines))
  const said = await does("addTopic words 2\nsendMessage words hello there\nexit\n", "producer", "--leader", leader.address)
  expect(said).toMatch(/words-\d@0/)
  const heard = await does("joinConsumerGroup readers\nsubscribe words\npoll 1\nleaveConsumerGroup\nexit\n", "consumer", "--leader", leader.address)
  expect(heard).toContain("readers")
  for (const { process } of [broker, leader]) {
    process.child.kill("SIGTERM")
    expect((await process.end()).code).toBe(0)
  }
}

describe("the single-file programs", () => {
  test("run with no node_modules around, each role its own binary", async () => {
    const away = join(data.path, "away")
    await run(process.execPath, ["scripts/build.ts", "--out", away])
    const names = readdirSync(away).sort()
    expect(names).toEqual(["franz", "franz-broker", "franz-brokerlead", "franz-consumer", "franz-producer"])
    const env = { PATH: "/usr/bin:/bin", NODE_PATH: "" }
    await worksWith((role, args) => Run.start(join(away, role === "franz" ? "franz" : `franz-${role}`), args, { cwd: away, env }), "binaries", away, env)
  }, 600_000)

  test("a node begins once more with the compiler's threshold, as the same process with the same words", async () => {
    const node = await ready(Run.start(join(data.path, "away", "franz"), ["up", "--port", "0", "--data", join(data.path, "tuned")]))
    const environment = readFileSync(`/proc/${node.process.child.pid}/environ`, "latin1")
    expect(environment).toContain("BUN_JSC_thresholdForOptimizeAfterWarmUp=")
    node.process.child.kill("SIGTERM")
    expect((await node.process.end()).code).toBe(0)
    const refused = await Run.start(join(data.path, "away", "franz-broker"), ["--id", "one two", "--leader", "127.0.0.1:9", "--port", "0"]).end()
    expect(refused).toMatchObject({ code: 2, stdout: "" })
    expect(refused.stderr).toContain("--id one two: expected a whole number")
  }, 300_000)

  test("and where addons cannot be unpacked they fall back to TypeScript", async () => {
    const away = join(data.path, "away")
    const env = { TMPDIR: "/proc/nowhere", BUN_TMPDIR: "/proc/nowhere" }
    await worksWith((role, args) => Run.start(join(away, role === "franz" ? "franz" : `franz-${role}`), args, { cwd: away, env }), "fallback", away, env)
  }, 600_000)
})

describe("Deno", () => {
  test("runs every role from the same sources", async () => {
    const deno = join(data.path, "deno-program")
    // The npm package's own binary, without its wrapper: a signal then reaches the program itself.
    copyFileSync(denoBinary(), deno)
    await worksWith((role, args) => Run.start(deno, ["run", "-A", join(root, `src/programs/${role}.ts`), ...args]), "deno", root, {})
  }, 600_000)
})

const denoBinary = (): string => {
  const scope = join(root, "node_modules/@deno")
  const found = readdirSync(scope).map((name) => join(scope, name, "deno"))[0]
  if (found === undefined) throw new Error("the deno package has no binary for this platform")
  return found
}
