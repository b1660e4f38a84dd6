import { join } from "node:path"
import { franz, franzDoes, type Node, ready } from "./franz.ts"
import { temporaryDirectory, until } from "./process.ts"

/** A partition as `franz topic describe --json` shows it. */
interface DescribedPartition {
  readonly partition: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: ReadonlyArray<number>
  readonly isr: ReadonlyArray<number>
  readonly first: number
  readonly end: number
}

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
    const port = String(this.brokers.get(id)?.port ?? 0)
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
  async stop(): Promise<void> {
    for (const { process } of this.brokers.values()) await process.kill("SIGKILL")
    await this.leader?.process.kill("SIGKILL")
    this.data.remove()
  }

  /** Runs a command of the program against the leader; its stdout. */
  does(...args: ReadonlyArray<string>): Promise<string> {
    return franzDoes([...args, "--leader", this.address])
  }
  async partitions(topic: string): Promise<ReadonlyArray<DescribedPartition>> {
    const described = JSON.parse(await this.does("topic", "describe", topic, "--json")) as { readonly partitions: ReadonlyArray<DescribedPartition> }
    return described.partitions
  }
  /** Waits until the condition holds for every partition of the topic. */
  async whenEach(topic: string, what: string, holds: (partition: DescribedPartition) => boolean): Promise<ReadonlyArray<DescribedPartition>> {
    return await until(`${topic}: ${what}`, async () => {
      const all = await this.partitions(topic)
      return all.every(holds) && all
    })
  }
  /** Waits until every replica of the topic is in sync. */
  whenInSync(topic: string): Promise<ReadonlyArray<DescribedPartition>> {
    return this.whenEach(topic, "every replica is in sync", ({ isr, replicas }) => isr.length === replicas.length)
  }
}
