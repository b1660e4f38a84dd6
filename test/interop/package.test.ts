import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Node, up } from "./support/franz.ts"
import { Run, root, run, temporaryDirectory } from "./support/process.ts"

/** The package as npm packs it, in a project of its own that has its dependencies: what a user gets, without the checkout around it. */
const project = temporaryDirectory()
const data = temporaryDirectory()
let node: Node

const program = `
import { Effect } from "effect"
import { Consumer, Producer } from "comanche-franz"

const leader = process.env.FRANZ_LEADER
const topic = process.argv[2]
await Effect.runPromise(Effect.gen(function* () {
  const producer = yield* Producer
  const consumer = yield* Consumer
  yield* producer.addTopic(topic)
  yield* producer.sendMessage(topic, "packed")
  yield* consumer.assign([{ topic, partition: 0, at: "earliest" }])
  for (const { text } of yield* consumer.poll({ timeoutMs: 30000 })) console.log("read: " + text)
}).pipe(Effect.provide(Producer.layer({ leader })), Effect.provide(Consumer.layer({ leader }))))
`

beforeAll(async () => {
  if (isMissing) return
  node = await up(data.path)
  const packed = await run("npm", ["pack", "--pack-destination", project.path], { cwd: root, env: { npm_config_loglevel: "error" } })
  const modules = join(project.path, "node_modules")
  const own = join(modules, "comanche-franz")
  mkdirSync(own, { recursive: true })
  await run("tar", ["-xzf", join(project.path, packed.trim().split("\n").at(-1) ?? ""), "-C", own, "--strip-components=1"])
  for (const name of readdirSync(join(root, "node_modules"))) if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name))
  writeFileSync(join(project.path, "package.json"), '{ "type": "module" }')
  writeFileSync(join(project.path, "round-trip.mjs"), program)
}, 120_000)
afterAll(async () => {
  await node?.process.kill("SIGTERM")
  data.remove()
  project.remove()
})

/** A machine that has bun alone has no npm to pack with. */
const isMissing = process.env.FRANZ_REQUIRE_PEERS === undefined && Bun.which("npm") === null

describe.skipIf(isMissing)("the packed library", () => {
  const runtimes: ReadonlyArray<readonly [name: string, command: string, args: ReadonlyArray<string>]> = [
    ["bun", process.execPath, []],
    ["node", "node", []],
    ["deno", join(root, "node_modules/.bin/deno"), ["run", "-A"]]
  ]
  for (const [name, command, args] of runtimes)
    test(`sends and reads a message on ${name}`, async () => {
      const printed = await run(command, [...args, "round-trip.mjs", `on-${name}`], { cwd: project.path, env: { FRANZ_LEADER: node.address } })
      expect(printed).toBe("read: packed\n")
    })

  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["preserve", "bundler"]
  ] as const)
    test(`has declarations that a strict compiler takes (moduleResolution ${resolution})`, async () => {
      writeFileSync(
        join(project.path, "typed.ts"),
        `import { Effect } from "effect"
import { Consumer, type ConsumedRecord, Producer } from "comanche-franz"
import { startCluster } from "comanche-franz/testing"
export const first: Effect.Effect<ConsumedRecord | undefined, unknown, Consumer> = Effect.flatMap(Consumer, (consumer) => Effect.map(consumer.poll(), ([record]) => record))
export const producer = Producer.layer({ leader: "127.0.0.1:9092" })
export const cluster: Promise<{ readonly bootstrap: string }> = startCluster({ brokers: 3 })
// @ts-expect-error a leader is an address, not a number
Producer.layer({ leader: 9092 })
`
      )
      const options = { module, moduleResolution: resolution, target: "es2022", strict: true, skipLibCheck: true, noEmit: true, types: [] }
      writeFileSync(join(project.path, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["typed.ts"] }))
      const ended = await Run.start(join(root, "node_modules/.bin/tsc"), ["-p", "."], { cwd: project.path }).end()
      expect(ended).toMatchObject({ code: 0, stdout: "" })
    })
})
