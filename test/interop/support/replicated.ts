import { join } from "node:path"
import { Effect } from "effect"
import { freePort } from "../../../scripts/bench/port.ts"
import type { PartitionDescription } from "../../../src/client/admin/cluster.ts"
import { Admin } from "../../../src/programs/library.ts"
import { franz, type Node, ready } from "./franz.ts"
import { type Run, temporaryDirectory, until } from "./process.ts"

/** How long a command or a description may take on a busy machine, ms. */
const answerMs = 120_000
/** The exit code of a command that no node responded to: nothing was done. */
const unreachable = 69

/** A leader and brokers, each a process of its own, on ports that stay the same when one restarts. */
export class ReplicatedCluster {
  private readonly data = temporaryDirectory()
  private readonly brokers = new Map<number, Node>()
  private leader: Node | undefined
  private constructor(
    private readonly settings: ReadonlyArray<string>,
    private readonly settingsOf: (id: number) => ReadonlyArray<string>
  ) {}

  /** Starts a leader (id 100) and brokers 1 to `count` with settings of the form NAME=VALUE. */
  static async start(
    count: number,
    settings: ReadonlyArray<string> = [],
    settingsOf: (id: number) => ReadonlyArray<string> = () => []
  ): Promise<ReplicatedCluster> {
    const cluster = new ReplicatedCluster(["broker.heartbeat.interval.ms=500", ...settings], settingsOf)
    cluster.leader = await ready(franz("brokerlead", "--id", "100", "--port", "0", "--data", join(cluster.data.path, "leader"), ...cluster.options()))
    await Promise.all(Array.from({ length: count }, (_, index) => cluster.startBroker(index + 1)))
    return cluster
  }

  private options(id = 100): ReadonlyArray<string> {
    return [...this.settings, ...this.settingsOf(id)].flatMap((setting) => ["-X", setting])
  }

  /** The address of the leader. */
  get address(): string {
    return this.leader?.address ?? ""
  }
  /** The addresses of all brokers, for a client that outlives one of them. */
  get bootstrap(): string {
    return [...this.brokers.values()].map(({ address }) => address).join(",")
  }
  addressOf(id: number): string {
    return this.brokers.get(id)?.address ?? ""
  }
  /** The directory in which a broker keeps its logs. */
  directoryOf(id: number): string {
    return join(this.data.path, `broker-${id}`)
  }

  async startBroker(id: number): Promise<void> {
    const port = String(this.brokers.get(id)?.port ?? (await freePort()))
    const args = ["--id", String(id), "--port", port, "--leader", this.address, "--data", this.directoryOf(id)]
    this.brokers.set(id, await ready(franz("broker", ...args, ...this.options(id))))
  }
  /** Ends a broker's process, by SIGKILL unless another signal is named. */
  async stopBroker(id: number, signal?: NodeJS.Signals): Promise<void> {
    await this.brokers.get(id)?.process.kill(signal)
  }
  /** Stops a broker's process without ending it: SIGSTOP. */
  pauseBroker(id: number): void {
    this.brokers.get(id)?.process.child.kill("SIGSTOP")
  }
  /** Ends the process that leads the cluster, by SIGKILL: no other one takes its place. */
  async killLeader(): Promise<void> {
    await this.leader?.process.kill("SIGKILL")
  }
  async stop(): Promise<void> {
    for (const { process } of this.brokers.values()) await process.kill("SIGKILL")
    await this.leader?.process.kill("SIGKILL")
    this.data.remove()
  }

  /** Runs a command of the program against the leader, again where the leader did not respond in time. */
  ends(...args: ReadonlyArray<string>): Promise<Awaited<ReturnType<Run["end"]>>> {
    return until(
      args.join(" "),
      async () => {
        const ended = await franz(...args, "--leader", this.address).end()
        return ended.code !== unreachable && ended
      },
      answerMs
    )
  }
  /** Runs a command that must succeed; its stdout. */
  async does(...args: ReadonlyArray<string>): Promise<string> {
    const { code, stderr, stdout } = await this.ends(...args)
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`)
    return stdout
  }
  /** The partitions of a topic by the library, which costs less than a process. */
  async partitions(topic: string): Promise<ReadonlyArray<PartitionDescription>> {
    const described = Effect.flatMap(Admin.make({ leader: this.address, retryTimeoutMs: answerMs }), (admin) => admin.describeTopic(topic))
    return (await Effect.runPromise(Effect.scoped(described))).partitions
  }
  /** Waits until the condition holds for every partition of the topic. */
  async whenEach(topic: string, what: string, holds: (partition: PartitionDescription) => boolean): Promise<ReadonlyArray<PartitionDescription>> {
    return await until(
      `${topic}: ${what}`,
      async () => {
        const all = await this.partitions(topic)
        return all.every(holds) && all
      },
      answerMs
    )
  }
  /** Waits until every replica of the topic is in sync. */
  whenInSync(topic: string): Promise<ReadonlyArray<PartitionDescription>> {
    return this.whenEach(topic, "every replica is in sync", ({ isr, replicas }) => isr.length === replicas.length)
  }
}
