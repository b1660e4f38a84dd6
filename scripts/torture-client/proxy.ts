import * as net from "node:net"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../src/protocol/message/10-find-coordinator.ts"
import { DescribeCluster } from "../../src/protocol/message/60-describe-cluster.ts"
import { Conversation, changed, type ResponseValue } from "./conversation.ts"
import type { FaultSwitch, Response } from "./fault-switch.ts"

const ofAddresses: ReadonlySet<number> = new Set([Metadata.key, FindCoordinator.key, DescribeCluster.key])
interface Node {
  readonly host: string
  readonly port: number
}

/**
 * A TCP proxy before the nodes of a cluster, ours or Kafka's: it names its own ports in the responses that name nodes,
 * so that clients do not connect around it.
 */
export class TcpProxy {
  private readonly servers: Array<net.Server> = []
  private readonly ports = new Map<string, number>()
  private readonly sockets = new Set<net.Socket>()

  private constructor(private readonly faults: FaultSwitch) {}

  /** Opens a port for each node. */
  static async start(nodes: ReadonlyArray<Node>, faults: FaultSwitch): Promise<TcpProxy> {
    const proxy = new TcpProxy(faults)
    for (const node of nodes) proxy.ports.set(keyOf(node), await proxy.listen(node))
    return proxy
  }
  /** The addresses of the proxy, as a client takes them. */
  get addresses(): ReadonlyArray<string> {
    return [...this.ports.values()].map((port) => `127.0.0.1:${port}`)
  }
  close(): void {
    for (const socket of this.sockets) socket.destroy()
    for (const server of this.servers) server.close()
  }

  private listen(node: Node): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = net.createServer((client) => this.accept(client, node))
      this.servers.push(server)
      server.once("error", reject)
      server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
    })
  }
  private accept(client: net.Socket, node: Node): void {
    const broker = net.connect(node.port, node.host)
    const both = [client, broker]
    const end = (): void => {
      conversation.closed()
      for (const socket of both) socket.destroy()
    }
    const conversation = new Conversation(
      {
        toClient: (bytes) => void (client.destroyed || client.write(bytes)),
        toBroker: (bytes) => void (broker.destroyed || broker.write(bytes)),
        reset: () => {
          client.resetAndDestroy()
          end()
        },
        later: (ms, task) => void setTimeout(task, ms)
      },
      this.faults,
      (response) => this.renamed(response)
    )
    for (const socket of both) {
      this.sockets.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => {
        this.sockets.delete(socket)
        // A half-open connection does not learn that its other side is gone.
        if (!conversation.isFrozen) end()
      })
    }
    client.on("data", (bytes: Buffer) => conversation.fromClient(bytes))
    broker.on("data", (bytes: Buffer) => conversation.fromBroker(bytes))
  }
  private renamed(response: Response): Uint8Array {
    return ofAddresses.has(response.api.key) ? changed(response, (value) => this.withOwnPorts(value) as ResponseValue) : response.bytes
  }
  private withOwnPorts(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.withOwnPorts(one))
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value
    const fields = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.withOwnPorts(one)]))
    const port = this.ports.get(keyOf(fields as unknown as Node))
    return port === undefined ? fields : { ...fields, host: "127.0.0.1", port }
  }
}

const keyOf = ({ host, port }: Node): string => `${host}:${port}`
