import { describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { freePort } from "../../scripts/bench/port.ts"
import { franz, franzDoes, ready } from "./support/franz.ts"
import { available, isRequired } from "./support/peers.ts"
import { Run, root, temporaryDirectory, until } from "./support/process.ts"

const program = spawnSync("bash", [join(root, "scripts/etcd-peer.sh"), "program"], { encoding: "utf8" }).stdout.trim()
const withEtcd = [dirname(program), process.env.PATH].join(delimiter)

const upIn = (data: string, path: string, ...more: ReadonlyArray<string>): Run =>
  Run.start(process.execPath, [join(root, "src/programs/franz.ts"), "up", "--port", "0", "--data", data, ...more], { env: { PATH: path } })

/** The processes of a machine with Linux whose command line has this text. */
const processesWith = (text: string): ReadonlyArray<number> =>
  spawnSync("sh", ["-c", "ls /proc"], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
        return words[0]?.endsWith("etcd") === true && words.includes(text)
      } catch {
        return false
      }
    })

describe.skipIf(!available("etcd") && !isRequired)("franz up --engine etcd", () => {
  test("starts etcd, starts it again when it ends, ends it with the process, and has every topic afterwards", async () => {
    const data = temporaryDirectory()
    const engine = ["--engine", "etcd", "-X", "franz.leader.lease.ms=6000"]
    const etcds = () => processesWith(join(data.path, "etcd", "data"))
    const first = await ready(upIn(data.path, withEtcd, ...engine, "--brokers", "2"))
    expect(first.process.stdout).toMatch(/^leader 0: \S+\nbroker 1: \S+\nbroker 2: \S+\njournal: etcd:\/\/127\.0\.0\.1:\d+\/franz\nready\n$/)
    await franzDoes(["topic", "create", "orders", "--replication-factor", "2", "--leader", first.address])
    const [etcd] = etcds()
    expect(etcd).toBeGreaterThan(0)

    process.kill(etcd as number, "SIGKILL")
    await first.process.says(/WARN etcd has ended with 137: .*it is started again/)
    await first.process.says(/etcd at 127\.0\.0\.1:\d+ has started again/)
    await until("a topic is created", () =>
      franzDoes(["topic", "create", "payments", "--leader", first.address]).then(
        () => true,
        () => false
      )
    )

    await first.process.kill()
    await until("etcd has ended with the process that started it", () => etcds().length === 0)

    const inFiles = await upIn(data.path, withEtcd).end()
    expect([inFiles.code, inFiles.stderr]).toEqual([78, expect.stringContaining("has its journal in etcd. Start it with --engine etcd")])

    const again = upIn(data.path, withEtcd, ...engine, "--brokers", "2", "--json")
    const [line] = await again.says(/^\{"ready":true.*$/m)
    const said = JSON.parse(line) as { readonly bootstrap: string; readonly journal: string }
    expect(said.journal).toMatch(/^etcd:\/\/127\.0\.0\.1:\d+\/franz$/)
    const topics = await franzDoes(["topic", "list", "--leader", said.bootstrap])
    expect(topics).toMatch(/orders/)
    expect(topics).toMatch(/payments/)
    await again.kill("SIGTERM")
    expect(etcds()).toEqual([])
    data.remove()
  }, 300_000)

  test("a further candidate takes over from a process that is paused, whose brokers then follow that one", async () => {
    const data = temporaryDirectory()
    const port = await freePort()
    const others = ["-X", `controller.quorum.bootstrap.servers=127.0.0.1:${port}`]
    const engine = ["--engine", "etcd", "--brokers", "1", "-X", "franz.leader.lease.ms=6000", ...others]
    const first = await ready(upIn(join(data.path, "trial"), withEtcd, ...engine))
    const [, journal = ""] = first.process.stdout.match(/^journal: (\S+)$/m) ?? []
    const further = ["--id", "101", "--port", String(port), "--data", join(data.path, "leader"), "-X", `franz.journal=${journal}`]
    const second = await ready(franz("brokerlead", ...further))
    first.process.child.kill("SIGSTOP")
    await second.process.says(/leader 101 of cluster/)
    first.process.child.kill("SIGCONT")
    await until("a topic is created through the broker of the first process", () =>
      franzDoes(["topic", "create", "orders", "--leader", first.address]).then(
        () => true,
        () => false
      )
    )
    await second.process.kill("SIGTERM")
    await first.process.kill("SIGTERM")
    data.remove()
  }, 300_000)

  test("says how to get etcd where PATH has none, and leaves a journal in files alone", async () => {
    const data = temporaryDirectory()
    const none = await upIn(join(data.path, "none"), data.path, "--engine", "etcd").end()
    expect([none.code, none.stderr]).toEqual([78, expect.stringContaining("PATH has none. Install it (Debian, Ubuntu: apt-get install etcd-server")])
    const files = join(data.path, "files")
    const node = await ready(upIn(files, withEtcd))
    await node.process.kill("SIGTERM")
    const other = await upIn(files, withEtcd, "--engine", "etcd").end()
    expect([other.code, other.stderr]).toEqual([78, expect.stringContaining("has a journal in files. Leave --engine etcd out")])
    data.remove()
  }, 300_000)
})
