import { expect, test } from "bun:test"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { franzDoes, ready } from "./support/franz.ts"
import { Run, root, temporaryDirectory } from "./support/process.ts"

const limit = 128

test("at the limit of open files the node logs one line with the figures and continues to serve", async () => {
  const data = temporaryDirectory()
  const words = [join(root, "src/programs/franz.ts"), "up", "--port", "0", "--data", data.path]
  const node = await ready(Run.start("bash", ["-c", `ulimit -n ${limit}; exec "$@"`, "bash", process.execPath, ...words]))
  await franzDoes(["topic", "create", "orders", "--leader", node.address])
  const sockets: Array<Socket> = []
  for (let n = 0; n < 2 * limit; n++) sockets.push(connect(node.port, "127.0.0.1").on("error", () => undefined))
  const [line] = await node.process.says(/WARN No more files can be opened .*/)
  expect(line).toMatch(/EMFILE.*: \d+ of 128 files are open, \d+ of them connections; logs hold \d+, at most 80\./)
  expect(line).toMatch(/ulimit -n.*LimitNOFILE.*max\.connections.*log\.open\.files\.max/)
  for (const socket of sockets) socket.destroy()
  await node.process.says(/Files can be opened again/)
  await franzDoes(["produce", "orders", "--leader", node.address], "one\ntwo\n")
  expect(await franzDoes(["consume", "orders", "--from", "start", "--exit-at-end", "--leader", node.address])).toBe("one\ntwo\n")
  node.process.child.kill("SIGTERM")
  expect((await node.process.end()).code).toBe(0)
  expect(node.process.stderr.match(/No more files can be opened/g)).toHaveLength(1)
  data.remove()
}, 120_000)
