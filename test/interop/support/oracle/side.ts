import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../../../src/protocol/type/wire.ts"
import { until } from "../process.ts"
import { RawConnection } from "../raw.ts"
import { type Names, normal, type Plain } from "./normal.ts"

/** One of the two compared nodes: sends requests and records each response under a label. */
export class Side {
  readonly trace = new Map<string, Plain>()
  private readonly ids = new Map<string, string>()
  private prefix = ""
  private connection: RawConnection | undefined
  private constructor(
    readonly port: number,
    private readonly shown: Pick<Names, "clusterId" | "ports">
  ) {}

  /** The node that is asked, and the other nodes of its cluster. */
  static async open(port: number, ...others: ReadonlyArray<number>): Promise<Side> {
    const first = await RawConnection.open(port)
    const { clusterId } = await first.call(Metadata, 12, { topics: [] })
    first.close()
    const ports = [port, ...others].map((each, at) => [each, others.length === 0 ? "PORT" : `PORT ${at + 1}`] as const)
    return new Side(port, { clusterId, ports: new Map(ports) })
  }

  /** Starts a scenario on a new connection. */
  async begin(scenario: string): Promise<void> {
    this.prefix = scenario
    this.connection?.close()
    this.connection = await this.another()
  }
  close(): void {
    this.connection?.close()
  }
  another(): Promise<RawConnection> {
    return RawConnection.open(this.port)
  }
  /** Shows this id by a name that both sides share. */
  know(id: string, name: string): string {
    if (id !== "") this.ids.set(id, `<${name}>`)
    return id
  }
  note(label: string, answer: unknown): void {
    const key = `${this.prefix}/${label}`
    if (this.trace.has(key)) throw new Error(`two requests are called ${key}`)
    this.trace.set(key, normal(answer, { ...this.shown, ids: this.ids }))
  }

  /** Sends one request; records its response, or that the node closed the connection. */
  async ask<A extends AnyApi>(label: string, api: A, version: number, draft: RequestDraft<A>, over?: RawConnection): Promise<ResponseOf<A> | undefined> {
    try {
      const answer = await (over ?? (this.connection as RawConnection)).call(api, version, draft)
      this.note(label, answer)
      return answer
    } catch (fault) {
      this.note(label, /connection ended/.test(String(fault)) ? "the connection was closed" : String(fault))
      if (over === undefined) this.connection = await this.another()
      return undefined
    }
  }
  /** Sends bytes that no encoder here makes, length first; records the bytes of the response. */
  async raw(label: string, frame: Uint8Array): Promise<void> {
    const over = await this.another()
    over.send(frame)
    this.note(label, { answer: await over.frame().catch(() => "the connection was closed") })
    over.close()
  }
  /** The same request in several versions. */
  async each<A extends AnyApi>(label: string, api: A, versions: ReadonlyArray<number>, draft: (version: number) => RequestDraft<A>): Promise<void> {
    for (const version of versions) await this.ask(`${label} v${version}`, api, version, draft(version))
  }
  /** A request whose response is needed and not compared. */
  call<A extends AnyApi>(api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A>> {
    return (this.connection as RawConnection).call(api, version, draft)
  }

  /** Creates a topic and waits until its partitions have leaders; returns its id. */
  async topic(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const settings = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topics = [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: settings }]
    const { topics: created } = await this.call(CreateTopics, 7, { topics, timeoutMs: 30_000 })
    const id = created[0]?.topicId ?? ""
    this.know(id, name)
    await this.led(name, partitions)
    return id
  }
  /** A node may name itself the leader before it serves the partition: retries each partition until the node serves it. */
  async led(name: string, partitions: number): Promise<void> {
    const indexes = range(0, partitions - 1)
    const topics = [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp: -1n })) }]
    await until(`${name} is led`, async () => {
      const answer = await this.call(ListOffsets, 9, { replicaId: -1, topics })
      return answer.topics[0]?.partitions.every(({ errorCode }) => errorCode === 0)
    })
  }
}

export type Scenario = (side: Side) => Promise<void>
export const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from + 1 }, (_, at) => from + at)
