import { describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "../../scripts/bench/port.ts"
import { franz, franzDoes } from "./support/franz.ts"
import { available, isRequired } from "./support/peers.ts"
import { Run, root, temporaryDirectory, until } from "./support/process.ts"

const page = readFileSync(join(root, "docs/operations/cluster.md"), "utf8")
/** The block of the page in which a text is. */
const blockWith = (language: string, text: string): string => {
  const found = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))]
    .map(([, code = ""]) => code)
    .find((code) => code.includes(text))
  if (found === undefined) throw new Error(`docs/operations/cluster.md has no block of ${language} with ${text}`)
  return found
}

const machines = [1, 2, 3] as const
type Machine = (typeof machines)[number]
const usualPorts = [2379, 2380, 9092, 9093] as const

/** The three machines of the page as this one: each port of each has another number, and each directory a name of its own. */
class Machines {
  private constructor(
    private readonly ports: ReadonlyMap<string, number>,
    private readonly directory: string
  ) {}
  static async make(directory: string): Promise<Machines> {
    const ports = new Map<string, number>()
    for (const machine of machines) for (const port of usualPorts) ports.set(`h${machine}:${port}`, await freePort())
    return new Machines(ports, directory)
  }
  at(address: string): string {
    return `127.0.0.1:${this.ports.get(address)}`
  }
  /** The page's text for h1, as it is on a machine. */
  on(machine: Machine, text: string): string {
    return text
      .replace(/0\.0\.0\.0:(\d+)/g, (_, port: string) => this.at(`h${machine}:${port}`))
      .replace(/\bh(\d):(\d+)/g, (address) => this.at(address))
      .replaceAll("/var/lib/", `${this.directory}/h${machine}/`)
  }
}

/** Lines NAME=VALUE. */
const assignments = (text: string): Record<string, string> =>
  Object.fromEntries(text.split("\n").flatMap((line) => (line.includes("=") ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]] : [])))

/** What the page says to replace on the second and third machine: the name, and the addresses of this machine. */
const etcdOn = (where: Machines, machine: Machine): Record<string, string> => {
  const lines = blockWith("sh", "ETCD_NAME=h1")
    .split("\n")
    .map((line) => (line.startsWith("ETCD_INITIAL_CLUSTER=") ? line : line.replaceAll("h1", `h${machine}`)))
  return assignments(where.on(machine, lines.join("\n")))
}
const settingsOn = (where: Machines, machine: Machine, block: string, firstId: number): string =>
  where.on(machine, block.replace(/^node\.id=.*$/m, `node.id=${firstId + machine - 1}`).replace(/^(advertised\.listeners=.*)h1:/m, `$1h${machine}:`))

describe.skipIf(!available("etcd") && !isRequired)("docs/operations/cluster.md", () => {
  test("its files and commands make a cluster, back it up and restore it", async () => {
    const data = temporaryDirectory()
    const where = await Machines.make(data.path)
    const etcd = spawnSync("bash", [join(root, "scripts/etcd-peer.sh"), "program"], { encoding: "utf8" }).stdout.trim()
    const members = machines.map((machine) => Run.start(etcd, [], { env: etcdOn(where, machine) }))
    const call = (path: string, body: object) =>
      fetch(`http://${where.at("h1:2379")}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) }).then(
        ({ ok }) => ok,
        () => false
      )
    await until("etcd has a leader", () => call("range", { key: "AA==" }))

    const files = (machine: Machine) => {
      const [leader, broker] = [join(data.path, `leader-${machine}.properties`), join(data.path, `broker-${machine}.properties`)]
      writeFileSync(leader, settingsOn(where, machine, blockWith("properties", "process.roles=controller"), 101))
      writeFileSync(broker, settingsOn(where, machine, blockWith("properties", "process.roles=broker"), 1))
      return { leader, broker }
    }
    const configured = machines.map(files)
    expect(blockWith("ini", "ExecStart")).toContain("franz brokerlead --config /etc/franz/leader.properties --log-format json")
    // A busy machine must not end a lease, or a session, in the middle of a test.
    const patient = ["-X", "franz.leader.lease.ms=20000"]
    const start = () => {
      const candidates = configured.map(({ leader }) => franz("brokerlead", "--config", leader, "--log-format", "json", ...patient))
      const brokers = configured.map(({ broker }) => franz("broker", "--config", broker, "--log-format", "json"))
      return { candidates, brokers }
    }
    const isReady = async ({ brokers, candidates }: ReturnType<typeof start>) => {
      for (const run of [...candidates, ...brokers]) await run.says(/^ready/m, 120_000)
      await until("two candidates stand by", () => candidates.filter(({ stderr }) => stderr.includes("stands by")).length >= 2)
    }
    const stop = async ({ brokers, candidates }: ReturnType<typeof start>) => {
      await Promise.all(brokers.map((run) => run.kill("SIGTERM")))
      await Promise.all(candidates.map((run) => run.kill("SIGTERM")))
    }
    /** Runs the commands `franz …` of a block. */
    const runs = async (block: string): Promise<string> => {
      const outputs: Array<string> = []
      for (const line of where.on(1, block).split("\n"))
        if (line.startsWith("franz "))
          outputs.push(
            await franzDoes(
              line
                .slice("franz ".length)
                .split(" ")
                .map((word) => word.replaceAll("/backup", data.path))
            )
          )
      return outputs.join("\n")
    }

    const first = start()
    await isReady(first)
    const described = await runs(blockWith("sh", "franz topic create orders"))
    expect(described).toContain("orders: created, 6 partitions")
    expect([...described.matchAll(/^ +\d +[123] +0 +[123],[123],[123] +/gm)]).toHaveLength(6)

    const today = "$(date +%F)"
    const exported = blockWith("sh", "franz journal export").replace(today, "2026-01-31")
    expect(blockWith("sh", "franz journal export")).toContain(today)
    await runs(exported)
    await stop(first)
    const restore = blockWith("sh", "franz journal import")
    expect(restore).toContain("etcdctl --endpoints=h1:2379 del --prefix /franz/")
    expect(await call("deleterange", { key: btoa("/franz/"), range_end: btoa("/franz0") })).toBe(true)
    await runs(restore)

    const second = start()
    await isReady(second)
    expect(await franzDoes(["topic", "list", "--leader", where.at("h2:9093")])).toContain("orders")
    await stop(second)
    await Promise.all(members.map((run) => run.kill()))
    data.remove()
  }, 600_000)
})
