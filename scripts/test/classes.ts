/** Stores the classes of Kafka's tools beside its jars (scripts/kafka-peer.sh archive): the interop tests start some hundred of them. A node of ours answers them meanwhile. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dir, "../..")
const data = mkdtempSync(join(tmpdir(), "franz-classes-"))
const node = Bun.spawn([process.execPath, join(root, "src/programs/franz.ts"), "up", "--port", "0", "--data", data], { stdout: "pipe", stderr: "inherit" })
let said = ""
for await (const text of node.stdout.pipeThrough(new TextDecoderStream())) {
  said += text
  if (/^ready$/m.test(said)) break
}
const [, address] = said.match(/: (127\.0\.0\.1:\d+)$/m) ?? []
const stored = address === undefined ? undefined : spawnSync("bash", [join(root, "scripts/kafka-peer.sh"), "archive", address], { stdio: "inherit" })
node.kill("SIGTERM")
await node.exited
rmSync(data, { recursive: true, force: true })
process.exit(stored?.status ?? 1)
