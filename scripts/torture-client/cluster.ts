import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { homedir } from "node:os"
import { join } from "node:path"
import { leaves } from "../bench/cleanup.ts"
import { freePort } from "../bench/port.ts"
import { ended, output, temporaryDirectory, untilReady } from "../bench/process.ts"

const root = join(import.meta.dir, "../..")
const startWithinMs = 120_000

/** A cluster whose brokers can be killed, and start again with their data and ports. */
export interface Cluster {
  readonly name: string
  readonly leader: string
  /** How many brokers can be killed. */
  readonly brokers: number
  /** Kills a broker with SIGKILL and starts it again after `downMs`. */
  readonly bounce: (broker: number, downMs: number) => Promise<void>
  readonly stop: () => Promise<void>
}

const binary = join(root, "dist/franz")
const program: ReadonlyArray<string> = existsSync(binary) ? [binary] : [process.execPath, join(root, "src/programs/franz.ts")]

/** A process of ours, once it prints `ready`. */
const node = async (args: ReadonlyArray<string>): Promise<ChildProcess> => {
  const [command = "", ...own] = program
  const child = spawn(command, [...own, ...args], { stdio: ["ignore", "pipe", "ignore"] })
  leaves(() => child.kill("SIGKILL"))
  await untilReady(child, `franz ${args.join(" ")}`, startWithinMs)
  return child
}

/** A leader without partitions and two brokers, each a process of its own. */
export const startOurs = async (): Promise<Cluster> => {
  const data = temporaryDirectory()
  const leaderPort = await freePort()
  const leader = `127.0.0.1:${leaderPort}`
  const ports = [await freePort(), await freePort()]
  const leading = await node(["brokerlead", "--port", String(leaderPort), "--data", join(data.path, "leader")])
  const startBroker = (at: number) =>
    node(["broker", "--id", String(at + 1), "--port", String(ports[at]), "--leader", leader, "--data", join(data.path, `broker-${at}`)])
  const brokers: Array<ChildProcess> = []
  for (const at of ports.keys()) brokers.push(await startBroker(at))
  const kill = async (child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> => {
    child?.kill(signal)
    if (child !== undefined) await ended(child)
  }
  return {
    name: "ours",
    leader,
    brokers: brokers.length,
    bounce: async (at, downMs) => {
      await kill(brokers[at], "SIGKILL")
      await Bun.sleep(downMs)
      brokers[at] = await startBroker(at)
    },
    stop: async () => {
      for (const child of [...brokers, leading]) await kill(child, "SIGKILL")
      data.remove()
    }
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** One node of Apache Kafka. */
export const startKafka = async (): Promise<Cluster> => {
  const script = join(root, "scripts/kafka-peer.sh")
  const home = process.env.KAFKA_PEER_HOME ?? join(homedir(), ".cache/kafka-peer")
  const port = String(await freePort())
  await output(script, ["start", port])
  const stop = async (): Promise<void> => void (await output(script, ["stop", port]))
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  return {
    name: "Apache Kafka",
    leader: `127.0.0.1:${port}`,
    brokers: 1,
    bounce: async (_, downMs) => {
      const pid = () => Number(readFileSync(join(home, `pid-${port}`), "utf8"))
      const killed = pid()
      process.kill(killed, "SIGKILL")
      while (isAlive(killed)) await Bun.sleep(50)
      await Bun.sleep(downMs)
      // A node that is killed while it starts would never serve. One whose port another process has taken meanwhile ends.
      for (const until = performance.now() + startWithinMs; performance.now() < until && !(await accepts(Number(port))); ) {
        if (!isAlive(pid())) await output(script, ["again", port])
        await Bun.sleep(200)
      }
    },
    stop
  }
}
