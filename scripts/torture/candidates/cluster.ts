import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { gateway } from "../../../adapters/journal/etcd/gateway.ts"
import { StreamKeys } from "../../../adapters/journal/etcd/keys.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { EtcdCluster } from "../../../test/interop/support/etcd.ts"
import { leaves } from "../../bench/cleanup.ts"
import { freePort } from "../../bench/port.ts"
import { ended, untilReady } from "../../bench/process.ts"
import { UsageError } from "../options.ts"

const etcdPeer = join(import.meta.dir, "../../etcd-peer.sh")
const startWithinMs = 180_000
const endWithinMs = 60_000
const prefix = "/torture"
const members = 3
const candidateIds = [101, 102, 103]
const brokerIds = [1, 2, 3]

interface Node {
  readonly id: number
  readonly name: string
  readonly data: string
  readonly port: number
  readonly args: ReadonlyArray<string>
  child: ChildProcess | undefined
}

interface ClusterOptions {
  readonly directory: string
  readonly program: ReadonlyArray<string>
  readonly settings: ReadonlyArray<string>
  readonly leaseMs: number
  /** What no fault excuses. */
  readonly complain: (complaint: string) => void
}

/** Three members of etcd, three candidates for the leader's role and three brokers, each a process. */
export class CandidateCluster {
  readonly candidates = new Map<number, Node>()
  readonly brokers = new Map<number, Node>()
  readonly leaderData = undefined
  readonly keys = new StreamKeys(prefix, metadataTopic)
  private readonly expected = new WeakSet<ChildProcess>()
  private constructor(
    private readonly options: ClusterOptions,
    readonly etcd: EtcdCluster
  ) {}

  /** Throws UsageError where this machine has no etcd. */
  static async start(options: ClusterOptions): Promise<CandidateCluster> {
    if (spawnSync("bash", [etcdPeer, "ready"], { stdio: "ignore" }).status !== 0)
      throw new UsageError(
        "etcd is not on PATH, and the candidates share a journal in it. On Debian and Ubuntu: apt-get install etcd-server, or `bash scripts/etcd-peer.sh bring` without installing it."
      )
    mkdirSync(options.directory, { recursive: true })
    const cluster = new CandidateCluster(options, await EtcdCluster.start(members))
    await cluster.prepare()
    await Promise.all([...cluster.candidates.values()].map((node) => cluster.launch(node)))
    await Promise.all([...cluster.brokers.values()].map((node) => cluster.launch(node)))
    return cluster
  }

  get client() {
    return gateway({ endpoints: this.etcd.endpoints, user: undefined, authorities: undefined, identity: undefined })
  }
  get brokerPorts(): ReadonlyArray<number> {
    return [...this.brokers.values()].map(({ port }) => port)
  }
  /** A node that answers Metadata. */
  get leaderPort(): number {
    return this.brokerPorts[0] ?? 0
  }
  get bootstrap(): string {
    return this.brokerPorts.map((port) => `127.0.0.1:${port}`).join(",")
  }
  get logFiles(): ReadonlyArray<string> {
    return [...this.candidates.values(), ...this.brokers.values()].map(({ name }) => this.logFile(name))
  }
  /** The candidate that etcd names as the leader; undefined while there is none, or etcd does not answer. */
  async leader(): Promise<number | undefined> {
    const read = Effect.map(this.client.range({ key: this.keys.leader }), ([found]) => found)
    const found = await Effect.runPromise(Effect.orElseSucceed(read, () => undefined))
    return found === undefined ? undefined : (JSON.parse(new TextDecoder().decode(found.value)) as { readonly nodeId: number }).nodeId
  }
  /** How often the log of a candidate has a line. */
  count(id: number, pattern: RegExp): number {
    return readFileSync(this.logFile(this.candidate(id).name), "utf8").match(new RegExp(pattern.source, "g"))?.length ?? 0
  }
  async kill(id: number): Promise<void> {
    const { child } = this.candidate(id)
    if (child === undefined) return
    this.expected.add(child)
    child.kill("SIGKILL")
    await ended(child)
  }
  /** Starts a candidate that was killed, and waits until it leads or stands by. */
  again(id: number): Promise<void> {
    return this.launch(this.candidate(id))
  }
  signal(id: number, signal: "SIGSTOP" | "SIGCONT"): void {
    this.candidate(id).child?.kill(signal)
  }
  async stop(): Promise<void> {
    await Promise.all([...this.brokers.values()].map((node) => this.end(node)))
    await Promise.all([...this.candidates.values()].map((node) => this.end(node)))
  }
  remove(): void {
    rmSync(this.options.directory, { recursive: true, force: true })
  }

  private candidate(id: number): Node {
    const found = this.candidates.get(id)
    if (found === undefined) throw new Error(`there is no candidate ${id}`)
    return found
  }
  private logFile(name: string): string {
    return join(this.options.directory, `${name}.log`)
  }
  private async prepare(): Promise<void> {
    const { leaseMs } = this.options
    const settings = this.options.settings.flatMap((setting) => ["-X", setting])
    const engine = `etcd://${this.etcd.endpoints.map((endpoint) => endpoint.replace("http://", "")).join(",")}${prefix}`
    const journal = ["-X", `franz.journal=${engine}`, "-X", `franz.leader.lease.ms=${leaseMs}`]
    const prepared = async (id: number, name: string, command: string, more: ReadonlyArray<string>): Promise<Node> => {
      const [data, port] = [join(this.options.directory, name), await freePort()]
      return { id, name, data, port, args: [command, "--id", String(id), "--port", String(port), "--data", data, ...settings, ...more], child: undefined }
    }
    for (const id of candidateIds) this.candidates.set(id, await prepared(id, `candidate-${id}`, "brokerlead", journal))
    const addresses = [...this.candidates.values()].map(({ port }) => `127.0.0.1:${port}`).join(",")
    for (const id of brokerIds) this.brokers.set(id, await prepared(id, `broker-${id}`, "broker", ["--leader", addresses]))
  }
  private async launch(node: Node): Promise<void> {
    const [command = "", ...own] = this.options.program
    const file = this.logFile(node.name)
    const log = openSync(file, "a")
    writeSync(log, `--- ${new Date().toISOString()} ${[command, ...own, ...node.args].join(" ")}\n`)
    const child = spawn(command, [...own, ...node.args], { stdio: ["ignore", "pipe", log] })
    closeSync(log)
    node.child = child
    const forget = leaves(() => child.kill("SIGKILL"))
    child.once("close", forget)
    child.once("exit", (code, signal) => {
      if (!this.expected.has(child)) this.options.complain(`${node.name} ended by itself with ${code ?? signal}; its log is ${file}`)
    })
    await untilReady(child, `${node.name} (its log is ${file})`, startWithinMs)
  }
  private async end({ child, name }: Node): Promise<void> {
    if (child === undefined) return
    this.expected.add(child)
    child.kill("SIGCONT")
    child.kill("SIGTERM")
    const late = setTimeout(() => {
      this.options.complain(`${name} has not ended ${endWithinMs / 1000} s after SIGTERM`)
      child.kill("SIGKILL")
    }, endWithinMs)
    await ended(child)
    clearTimeout(late)
  }
}
