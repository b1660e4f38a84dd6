import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { type Peer, peerScript, retention, type Side } from "./broker.ts"
import { leaves } from "./cleanup.ts"
import { freePort } from "./port.ts"
import { ended, output, temporaryDirectory } from "./process.ts"
import { call, withWire } from "./wire.ts"

/** A node of a cluster: the first one has the cluster's leader (Kafka's controller) as well. */
export interface ClusterNode {
  readonly id: number
  readonly port: number
  /** Of the process that runs, or ran last. */
  readonly pid: () => number
  /** Starts the node on its data; it need not answer yet. */
  readonly start: () => Promise<void>
  /** Stops the node and waits for its end; its data stays. */
  readonly stop: (signal?: "SIGTERM" | "SIGKILL") => Promise<void>
}

/** Nodes of ours, or of the peer, each a process of its own; ids from 1. */
export interface Cluster {
  readonly side: Side
  readonly isKafka: boolean
  readonly nodes: ReadonlyArray<ClusterNode>
  /** Waits until node 1 lists so many brokers: all, unless told otherwise. */
  readonly untilListed: (count?: number) => Promise<void>
  readonly stop: () => Promise<void>
}

interface ClusterOptions {
  readonly nodes: number
  /** Settings of a node, as NAME=VALUE. */
  readonly settings: (id: number) => ReadonlyArray<string>
  /** Heap of one of Kafka's nodes, as Java writes it. */
  readonly heap?: string
}

const listedWithinMs = 300_000
const untilListed = async (port: number, count: number): Promise<void> => {
  const end = performance.now() + listedWithinMs
  const listed = () => withWire(port, async (wire) => (await call(wire, Metadata, 12, { topics: [] })).brokers.length).catch(() => 0)
  while ((await listed()) !== count) {
    if (performance.now() > end) throw new Error(`the node on port ${port} does not list ${count} brokers within ${listedWithinMs / 1000} s`)
    await Bun.sleep(20)
  }
}

const ourNode = (program: ReadonlyArray<string>, id: number, port: number, role: ReadonlyArray<string>, settings: ReadonlyArray<string>): ClusterNode => {
  const [command = "", ...args] = program
  let child: ChildProcess | undefined
  let kill = () => undefined as void
  return {
    id,
    port,
    pid: () => child?.pid ?? 0,
    start: async () => {
      const started = spawn(command, [...args, ...role, "--port", String(port), ...settings.flatMap((setting) => ["-X", setting])], { stdio: "ignore" })
      child = started
      kill = leaves(() => started.kill("SIGKILL"))
    },
    stop: async (signal = "SIGTERM") => {
      child?.kill(signal)
      if (child !== undefined) await ended(child)
      kill()
    }
  }
}

/** Ends a process at once, if it still runs. */
const kill = (pid: number): void => {
  try {
    if (pid !== 0) process.kill(pid, "SIGKILL")
  } catch {
    // It has ended.
  }
}

const kafkaNode = (id: number, port: number, controller: number, heap: string, settings: ReadonlyArray<string>): ClusterNode => {
  const env = {
    KAFKA_PEER_NODE: String(id),
    KAFKA_PEER_CONTROLLER: String(controller),
    KAFKA_PEER_HEAP: heap,
    KAFKA_PEER_EXTRA: settings.join("\n"),
    KAFKA_PEER_KEEP: "1"
  }
  let pid = 0
  return {
    id,
    port,
    pid: () => pid,
    // The first start formats the directory.
    start: async () => void (pid = Number((await output("bash", [peerScript, pid === 0 ? "start" : "again", String(port)], env)).trim())),
    stop: async (signal = "SIGTERM") => {
      if (signal === "SIGKILL") kill(pid)
      await output("bash", [peerScript, "stop", String(port)], env)
    }
  }
}

/** Starts the nodes one after the other, and waits until all are listed. */
const started = async (side: Side, isKafka: boolean, nodes: ReadonlyArray<ClusterNode>, remove: () => void): Promise<Cluster> => {
  const [first] = nodes as readonly [ClusterNode]
  const cluster: Cluster = {
    side,
    isKafka,
    nodes,
    untilListed: (count = nodes.length) => untilListed(first.port, count),
    stop: async () => {
      // Brokers first: a broker whose leader is gone waits for it.
      for (const node of [...nodes].reverse()) await node.stop("SIGKILL")
      remove()
    }
  }
  try {
    for (const [at, node] of nodes.entries()) {
      await node.start()
      await cluster.untilListed(at + 1)
    }
    return cluster
  } catch (fault) {
    await cluster.stop()
    throw fault
  }
}

/** A cluster of ours: node 1 is leader and broker (`franz up`), the others are brokers. */
export const startOurCluster = async (program: ReadonlyArray<string>, { nodes, settings }: ClusterOptions, side: Side = "ours"): Promise<Cluster> => {
  const data = temporaryDirectory()
  const made: Array<ClusterNode> = []
  for (let id = 1; id <= nodes; id++) {
    const directory = ["--data", join(data.path, String(id))]
    const role = id === 1 ? ["up", ...directory] : ["broker", "--id", String(id), "--leader", `127.0.0.1:${made[0]?.port}`, ...directory]
    made.push(ourNode(program, id, await freePort(), role, id === 1 ? ["node.id=1", ...settings(id)] : settings(id)))
  }
  return started(side, false, made, data.remove)
}

/** A cluster of Apache Kafka: node 1 is controller and broker, the others are brokers. */
export const startKafkaCluster = async ({ heap = "1g", nodes, settings }: ClusterOptions): Promise<Cluster> => {
  const made: Array<ClusterNode> = []
  const remove = leaves(() => made.forEach(({ port }) => spawnSync("bash", [peerScript, "stop", String(port)])))
  for (let id = 1; id <= nodes; id++) {
    const port = await freePort()
    made.push(kafkaNode(id, port, (made[0]?.port ?? port) + 1, heap, settings(id)))
  }
  return started("peer", true, made, remove)
}

/** The clusters that a row may start. */
export interface Clusters {
  /** Three nodes, which elect leaders again by request alone. */
  readonly startCluster: (side: Side) => Promise<Cluster>
}

export const clustersOf = (program: ReadonlyArray<string>, peer: Peer): Clusters => {
  const options = { nodes: 3, settings: () => [...retention, "min.insync.replicas=2", "auto.leader.rebalance.enable=false"] }
  return {
    startCluster: (side) => {
      if (side === "ours") return startOurCluster(program, options)
      return typeof peer === "object" ? startOurCluster([peer.program], options, "peer") : startKafkaCluster(options)
    }
  }
}
