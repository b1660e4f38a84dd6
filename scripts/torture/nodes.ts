import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { leaves } from "../bench/cleanup.ts"
import { freePort } from "../bench/port.ts"
import { ended, untilReady } from "../bench/process.ts"
import { brokerEnd, clients, type End, Links, leader } from "./links.ts"
import { SmallDisk } from "./small-disk.ts"

const root = join(import.meta.dir, "../..")
const binary = join(root, "dist/franz")
const startWithinMs = 120_000
const endWithinMs = 60_000

export const programOf = (program: string | undefined, fromSource: boolean): ReadonlyArray<string> => {
  if (program !== undefined) return [program]
  return existsSync(binary) && !fromSource ? [binary] : [process.execPath, join(root, "src/programs/franz.ts")]
}

interface NodesOptions {
  readonly directory: string
  readonly brokerIds: ReadonlyArray<number>
  readonly program: ReadonlyArray<string>
  readonly settings: ReadonlyArray<string>
  /** Whether the processes are connected through proxies, so that links can be cut. */
  readonly isProxied: boolean
  /** Whether one broker has a small disk of its own, which can be filled. */
  readonly hasSmallDisk: boolean
  /** What no fault excuses. */
  readonly complain: (complaint: string) => void
}

interface Broker {
  readonly id: number
  readonly data: string
  readonly args: ReadonlyArray<string>
  /** Where clients find it. */
  readonly address: string
  readonly port: number
  child: ChildProcess | undefined
  /** Accepts connections again through the proxies. */
  accept: () => Promise<void>
}

/** One leader and several brokers, each a process with its own directory and log file. */
export class Nodes {
  readonly links = new Links()
  readonly brokers = new Map<number, Broker>()
  private readonly proxied = new Map<number, { readonly port: number; readonly from: End | undefined }>()
  private small: { readonly id: number; readonly disk: SmallDisk } | undefined
  private leading: ChildProcess | undefined
  private readonly expected = new WeakSet<ChildProcess>()
  private constructor(
    private readonly options: NodesOptions,
    readonly leaderPort: number
  ) {}

  static async start(options: NodesOptions): Promise<Nodes> {
    const nodes = new Nodes(options, await freePort())
    const { directory } = options
    mkdirSync(directory, { recursive: true })
    const args = ["brokerlead", "--data", nodes.leaderData, ...nodes.settings, ...nodes.leaderListener]
    nodes.leading = await nodes.launch("leader", args, options.program)
    for (const id of options.brokerIds) nodes.brokers.set(id, await nodes.prepared(id))
    const last = nodes.brokers.get(options.brokerIds.at(-1) ?? 0)
    const disk = options.hasSmallDisk && last !== undefined ? SmallDisk.mount(last.data) : undefined
    if (last !== undefined && disk !== undefined) nodes.small = { id: last.id, disk }
    await Promise.all(options.brokerIds.map((id) => nodes.startBroker(id)))
    return nodes
  }
  get hasSmallDisk(): boolean {
    return this.small !== undefined
  }
  /** The disk that can be filled, and its broker. */
  get smallDisk(): { readonly id: number; readonly disk: SmallDisk } {
    if (this.small === undefined) throw new Error("no broker has a small disk: only root can mount one")
    return this.small
  }
  /** Removes the data of nodes that have ended. */
  remove(): void {
    this.small?.disk.unmount()
    rmSync(this.options.directory, { recursive: true, force: true })
  }
  /** Copies what is on the small disk, which ends with this process. */
  keep(): void {
    const data = this.small === undefined ? undefined : this.broker(this.small.id).data
    if (data !== undefined) cpSync(data, `${data}-kept`, { recursive: true, filter: (path) => !path.endsWith("/ballast") })
  }
  get leaderData(): string {
    return join(this.options.directory, "leader")
  }
  get bootstrap(): string {
    return [...this.brokers.values()].map(({ address }) => address).join(",")
  }
  logFile(name: string): string {
    return join(this.options.directory, `${name}.log`)
  }
  get logFiles(): ReadonlyArray<string> {
    return [leader, ...[...this.brokers.keys()].map(brokerEnd)].map((name) => this.logFile(name))
  }
  get running(): ReadonlyArray<number> {
    return [...this.brokers.values()].filter(({ child }) => child !== undefined).map(({ id }) => id)
  }
  broker(id: number): Broker {
    const found = this.brokers.get(id)
    if (found === undefined) throw new Error(`there is no broker ${id}`)
    return found
  }

  /** Starts a broker, and waits until it serves. `program`: what runs instead of ours. */
  async startBroker(id: number, program = this.options.program): Promise<void> {
    const broker = this.broker(id)
    await broker.accept()
    broker.child = await this.launch(brokerEnd(id), broker.args, program)
  }
  /** Sends a signal that ends a broker, and waits for its end. */
  async end(id: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const broker = this.broker(id)
    const { child } = broker
    if (child === undefined) return
    this.expected.add(child)
    // The leader connects to the address of a broker whose connection closes: a proxy that accepts it would look like a process that lives.
    if (signal === "SIGKILL") broker.accept = this.links.refuse(brokerEnd(id), this.proxied)
    child.kill("SIGCONT")
    child.kill(signal)
    const late = setTimeout(() => {
      this.options.complain(`broker ${id} has not ended ${endWithinMs / 1000} s after ${signal}`)
      child.kill("SIGKILL")
    }, endWithinMs)
    await ended(child)
    clearTimeout(late)
    broker.child = undefined
    if (signal === "SIGTERM") broker.accept = this.links.refuse(brokerEnd(id), this.proxied)
    if (signal === "SIGTERM" && child.exitCode !== 0) this.options.complain(`broker ${id} ended with ${child.exitCode ?? child.signalCode} at SIGTERM`)
  }
  signal(id: number, signal: "SIGSTOP" | "SIGCONT"): void {
    this.broker(id).child?.kill(signal)
  }
  /** Removes the data of a broker that has ended. */
  wipe(id: number): void {
    const { data } = this.broker(id)
    for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true, force: true })
  }
  async stop(): Promise<void> {
    await Promise.all(this.running.map((id) => this.end(id, "SIGTERM")))
    if (this.leading !== undefined) {
      this.expected.add(this.leading)
      this.leading.kill("SIGTERM")
      await ended(this.leading)
    }
    this.links.close()
  }

  private get settings(): ReadonlyArray<string> {
    return this.options.settings.flatMap((setting) => ["-X", setting])
  }
  /** Metadata of a node has the addresses of the listener that was asked: the leader needs that of the clients. */
  private get leaderListener(): ReadonlyArray<string> {
    if (!this.options.isProxied) return ["--port", String(this.leaderPort)]
    const own = [`listeners=CLIENTS://127.0.0.1:${this.leaderPort}`, "listener.security.protocol.map=CLIENTS:PLAINTEXT", "inter.broker.listener.name=CLIENTS"]
    return own.flatMap((setting) => ["-X", setting])
  }
  private async prepared(id: number): Promise<Broker> {
    const data = join(this.options.directory, `broker-${id}`)
    const port = await freePort()
    const common = ["broker", "--id", String(id), "--data", data, ...this.settings]
    const accept = async () => {}
    const toLeader = this.options.isProxied ? await this.links.open(leader, this.leaderPort, brokerEnd(id)) : this.leaderPort
    if (!this.options.isProxied)
      return {
        id,
        data,
        port,
        child: undefined,
        accept,
        address: `127.0.0.1:${port}`,
        args: [...common, "--port", String(port), "--leader", `127.0.0.1:${toLeader}`]
      }
    const nodesPort = await freePort()
    const forClients = await this.openProxy(id, port, clients)
    const forNodes = await this.openProxy(id, nodesPort, undefined)
    const own = [
      `listeners=CLIENTS://127.0.0.1:${port},NODES://127.0.0.1:${nodesPort}`,
      `advertised.listeners=CLIENTS://127.0.0.1:${forClients},NODES://127.0.0.1:${forNodes}`,
      "listener.security.protocol.map=CLIENTS:PLAINTEXT,NODES:PLAINTEXT",
      "inter.broker.listener.name=NODES"
    ]
    const args = [...common, ...own.flatMap((setting) => ["-X", setting]), "--leader", `127.0.0.1:${toLeader}`]
    return { id, data, port, child: undefined, accept, address: `127.0.0.1:${forClients}`, args }
  }
  private async openProxy(id: number, target: number, from: End | undefined): Promise<number> {
    const port = await this.links.open(brokerEnd(id), target, from)
    this.proxied.set(port, { port: target, from })
    return port
  }
  private async launch(name: string, args: ReadonlyArray<string>, program: ReadonlyArray<string>): Promise<ChildProcess> {
    const [command = "", ...own] = program
    const log = openSync(this.logFile(name), "a")
    writeSync(log, `--- ${new Date().toISOString()} ${[command, ...own, ...args].join(" ")}\n`)
    const child = spawn(command, [...own, ...args], { stdio: ["ignore", "pipe", log] })
    const kill = leaves(() => child.kill("SIGKILL"))
    child.once("close", kill)
    child.once("exit", (code, signal) => {
      if (!this.expected.has(child)) this.options.complain(`${name} ended by itself with ${code ?? signal}; its log is ${this.logFile(name)}`)
    })
    closeSync(log)
    await untilReady(child, `${name} (its log is ${this.logFile(name)})`, startWithinMs)
    return child
  }
}

/** The last lines of a log file. */
export const tailOf = (file: string, lines: number): string =>
  existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n") : ""
