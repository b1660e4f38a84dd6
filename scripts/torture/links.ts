import * as net from "node:net"
import { freePort } from "../bench/port.ts"

/** A node by its name, as "broker-1" or "leader", or the clients of the cluster. */
export type End = string
export const clients: End = "clients"
export const leader: End = "leader"
export const brokerEnd = (id: number): End => `broker-${id}`

/** Reads the client id of a connection's first request, by which brokers name themselves: "broker-2-fetcher-1" is broker 2. */
const brokerOf = (bytes: Uint8Array): End | undefined => {
  const idAt = 14
  if (bytes.length < idAt) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const length = view.getInt16(12)
  if (length < 0 || bytes.length < idAt + length) return undefined
  return /^broker-\d+/.exec(new TextDecoder().decode(bytes.subarray(idAt, idAt + length)))?.[0]
}

interface Connection {
  from: End | undefined
  readonly to: End
  readonly near: net.Socket
  readonly far: net.Socket
  /** One side is gone, and the other does not know it: a cut is between. */
  isHalf: boolean
}

/**
 * TCP proxies between the processes of a cluster, each on one port of this machine. A cut keeps the connections and carries nothing, as a network that
 * loses every packet: what was sent meanwhile arrives when the cut is over.
 */
export class Links {
  private readonly connections = new Set<Connection>()
  private readonly servers = new Map<number, { readonly server: net.Server; readonly to: End }>()
  private isCut: (from: End, to: End) => boolean = () => false

  /**
   * Opens a port for connections to `to`. `from` is the other end; undefined where the first request of each connection
   * tells which broker it is from. Default `port`: a free one that stays free while it is refused.
   */
  async open(to: End, targetPort: number, from: End | undefined, port?: number): Promise<number> {
    const own = port ?? (await freePort())
    const server = net.createServer((near) => this.accept(near, targetPort, from, to))
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(own, "127.0.0.1", resolve))
    this.servers.set(own, { server, to })
    return own
  }
  /** Refuses connections to a process that has ended, as its own port does. Returns a function that accepts them again. */
  refuse(to: End, targetPorts: ReadonlyMap<number, { readonly port: number; readonly from: End | undefined }>): () => Promise<void> {
    const closed = [...this.servers].filter(([, one]) => one.to === to).map(([port]) => port)
    for (const port of closed) {
      this.servers.get(port)?.server.close()
      this.servers.delete(port)
    }
    return async () => {
      for (const port of closed) {
        const target = targetPorts.get(port)
        if (target !== undefined) await this.open(to, target.port, target.from, port)
      }
    }
  }
  /** Carries nothing from one end to another where `isCut` says so. */
  cut(isCut: (from: End, to: End) => boolean): void {
    this.isCut = isCut
    for (const connection of this.connections) this.apply(connection)
  }
  heal(): void {
    this.cut(() => false)
  }
  close(): void {
    for (const { server } of this.servers.values()) server.close()
    for (const { far, near } of this.connections) for (const socket of [near, far]) socket.destroy()
  }

  private accept(near: net.Socket, targetPort: number, from: End | undefined, to: End): void {
    const far = net.connect(targetPort, "127.0.0.1")
    const connection: Connection = { from, to, near, far, isHalf: false }
    this.connections.add(connection)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => this.closed(connection))
    }
    near.on("data", (bytes: Buffer) => {
      connection.from ??= brokerOf(bytes) ?? "unknown"
      if (!far.destroyed) far.write(bytes)
      this.apply(connection)
    })
    far.on("data", (bytes: Buffer) => void (near.destroyed || near.write(bytes)))
    this.apply(connection)
  }
  private closed(connection: Connection): void {
    if (this.isWhole(connection)) {
      this.connections.delete(connection)
      connection.near.destroy()
      connection.far.destroy()
    } else connection.isHalf = true
  }
  private isWhole({ from, to }: Connection): boolean {
    return from === undefined || !(this.isCut(from, to) || this.isCut(to, from))
  }
  private apply(connection: Connection): void {
    const { far, from, isHalf, near, to } = connection
    if (isHalf && this.isWhole(connection)) return this.closed(connection)
    if (from !== undefined && this.isCut(from, to)) near.pause()
    else near.resume()
    if (from !== undefined && this.isCut(to, from)) far.pause()
    else far.resume()
  }
}
