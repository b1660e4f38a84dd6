import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { freePort } from "../../../scripts/bench/port.ts"
import { deadlineMs, Run, root, temporaryDirectory, until } from "./process.ts"

const peer = join(root, "scripts/etcd-peer.sh")

interface EtcdOptions {
  /** More arguments of every member. */
  readonly args?: ReadonlyArray<string>
  /** What clients use: http, or https with the certificates that `args` name. */
  readonly scheme?: "http" | "https"
  /** The options of TLS of the test's own calls. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

interface Member {
  readonly args: ReadonlyArray<string>
  readonly endpoint: string
  run: Run
}

/** Members of one etcd cluster as processes of this machine. */
export class EtcdCluster {
  private constructor(
    private readonly program: string,
    private readonly members: ReadonlyArray<Member>,
    private readonly data: ReturnType<typeof temporaryDirectory>,
    private readonly tls: EtcdOptions["tls"]
  ) {}
  /** The token of the user of the test's own calls. */
  token: string | undefined

  static async start(count: number, { args = [], scheme = "http", tls }: EtcdOptions = {}): Promise<EtcdCluster> {
    const program = spawnSync("bash", [peer, "program"], { encoding: "utf8" }).stdout.trim()
    const data = temporaryDirectory()
    const ports: Array<{ readonly client: number; readonly peer: number }> = []
    for (let n = 0; n < count; n++) ports.push({ client: await freePort(), peer: await freePort() })
    const cluster = ports.map((port, n) => `m${n}=http://127.0.0.1:${port.peer}`).join(",")
    const members = ports.map((port, n): Member => {
      const endpoint = `${scheme}://127.0.0.1:${port.client}`
      const own = ["--name", `m${n}`, "--data-dir", join(data.path, `m${n}`), "--listen-client-urls", endpoint, "--advertise-client-urls", endpoint]
      const peers = ["--listen-peer-urls", `http://127.0.0.1:${port.peer}`, "--initial-advertise-peer-urls", `http://127.0.0.1:${port.peer}`]
      const all = [...own, ...peers, "--initial-cluster", cluster, "--initial-cluster-token", data.path, ...args]
      return { args: all, endpoint, run: Run.start(program, all) }
    })
    const started = new EtcdCluster(program, members, data, tls)
    await until("etcd has a leader", () => started.answers(0))
    return started
  }

  get endpoints(): ReadonlyArray<string> {
    return this.members.map(({ endpoint }) => endpoint)
  }

  private post(path: string, body: object, member: number, withinMs: number): Promise<Response> {
    return fetch(`${this.members[member]?.endpoint}/v3/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(withinMs),
      ...(this.token === undefined ? {} : { headers: { Authorization: this.token } }),
      ...(this.tls === undefined ? {} : { tls: this.tls })
    } as RequestInit)
  }
  /** Calls the gateway of a member. Undefined where it refuses, and while it does not answer. */
  async call(path: string, body: object, member = 0): Promise<Record<string, unknown> | undefined> {
    try {
      const response = await this.post(path, body, member, 5000)
      return response.ok ? ((await response.json()) as Record<string, unknown>) : undefined
    } catch {
      return undefined
    }
  }
  /** Calls the gateway of a member, and waits for its response. Fails with its text where the member refuses. */
  async does(path: string, body: object, member = 0): Promise<Record<string, unknown>> {
    const response = await this.post(path, body, member, deadlineMs)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }

  /** Whether the member reaches a majority. */
  async answers(member: number): Promise<boolean> {
    return (await this.call("kv/range", { key: "AA==" }, member)) !== undefined
  }

  /** Waits for a line of a member's log. */
  async says(member: number, pattern: RegExp): Promise<void> {
    await this.members[member]?.run.says(pattern)
  }
  /** Sends a signal to a member. */
  async signal(member: number, signal: NodeJS.Signals): Promise<void> {
    const { run } = this.members[member] as Member
    if (signal === "SIGKILL") await run.kill()
    else run.child.kill(signal)
  }
  /** Starts a member again that was killed. */
  again(member: number): void {
    const found = this.members[member] as Member
    found.run = Run.start(this.program, found.args)
  }
  /** The member that leads etcd. */
  async leader(): Promise<number> {
    return until("etcd has a leader", async () => {
      for (const n of this.members.keys()) {
        const status = (await this.call("maintenance/status", {}, n)) as
          | { readonly leader?: string; readonly header?: { readonly member_id: string } }
          | undefined
        if (status?.leader !== undefined && status.leader === status.header?.member_id) return n + 1
      }
      return undefined
    }).then((found) => found - 1)
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ run }) => run.kill()))
    this.data.remove()
  }
}
