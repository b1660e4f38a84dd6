import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { up } from "./support/franz.ts"
import { root, run, temporaryDirectory } from "./support/process.ts"

const readme = readFileSync(join(root, "README.md"), "utf8")
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code)

// It printed nothing once: a first poll ended before the group's first rebalance did.
test("the client in twelve lines, as the README has it, prints the message that it sends", async () => {
  const data = temporaryDirectory()
  const node = await up(data.path)
  const program = (blocks.find((code) => code.includes("Effect.runPromise")) ?? "").replace("127.0.0.1:9092", node.address)
  expect(program).toContain(node.address)
  expect(await run(process.execPath, ["-e", program])).toMatch(/two apples \(orders-\d@0\)/)
  await node.process.kill("SIGTERM")
  data.remove()
})

test("the cluster inside a test, as the README has it", async () => {
  const program = (blocks.find((code) => code.includes("startCluster")) ?? "").replace(
    "await cluster.close()",
    "console.log(cluster.bootstrap)\nawait cluster.close()"
  )
  expect(await run(process.execPath, ["-e", program])).toMatch(/^(127\.0\.0\.1:\d+,){2}127\.0\.0\.1:\d+$/m)
})
