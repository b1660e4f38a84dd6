/**
 * Ports for nodes that are told theirs. They are below the ports that the system gives to connections and to port 0, so that nothing takes the port of a node before it starts or
 * while it is stopped. Programs that run at the same time share them in blocks: who listens on the first port of a block has the block, until its process ends.
 */
import { createServer, type Server } from "node:net"

const first = 12_000
const blockPorts = 50
const blocks = 400

/** Listens on a port of this machine; undefined where it is taken. */
const listen = (port: number) =>
  new Promise<Server | undefined>((resolve) => {
    const server = createServer().once("error", () => resolve(undefined))
    server.listen(port, "127.0.0.1", () => resolve(server))
  })
const isFree = async (port: number): Promise<boolean> => {
  const server = await listen(port)
  return server !== undefined && new Promise<boolean>((resolve) => server.close(() => resolve(true)))
}

/** A block of ports that this process has: those from `next` to `end` were not given yet. */
interface Block {
  next: number
  readonly end: number
}
/** They keep the blocks of this process, and not the process. */
const held: Array<Server> = []
/** Takes the first block that no other process has, from one on that depends on the process. */
const takeBlock = async (): Promise<Block> => {
  for (let nth = 0; nth < blocks; nth++) {
    const at = first + blockPorts * ((process.pid + nth) % blocks)
    const server = await listen(at)
    if (server === undefined) continue
    held.push(server.unref())
    return { next: at + 2, end: at + blockPorts }
  }
  throw new Error(`all ports from ${first} to ${first + blocks * blockPorts} are taken`)
}

let block: Promise<Block> | undefined
/** A free port, with the next one: Kafka's controller takes that. No port is given twice by this or by another process. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const mine = await (block ??= takeBlock())
    const port = mine.next
    if (port >= mine.end) {
      // Another call may have asked for the next one already.
      if ((await block) === mine) block = undefined
      continue
    }
    mine.next += 2
    if ((await isFree(port)) && (await isFree(port + 1))) return port
  }
}
