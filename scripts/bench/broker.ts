import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { answersMetadata } from "./driver.ts"

const root = join(import.meta.dir, "../..")
const peer = join(root, "scripts/kafka-peer.sh")

/** A broker under load, whoever made it. */
export interface Broker {
  readonly name: "ours" | "kafka"
  readonly port: number
  readonly pid: number
  /** From its start to the first answer to Metadata, seconds of the clock and of the processor. */
  readonly startSeconds: number
  readonly startCpuSeconds: number
  readonly stop: () => Promise<void>
}

/** Two neighbouring free ports: Kafka's controller takes the second. */
export const freePort = async (): Promise<number> => {
  const listen = (port: number) =>
    new Promise<number | undefined>((resolve) => {
      const server = createServer().once("error", () => resolve(undefined))
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        server.close(() => resolve(typeof address === "object" && address ? address.port : undefined))
      })
    })
  for (;;) {
    const port = await listen(0)
    if (port !== undefined && port < 65_000 && (await listen(port + 1)) !== undefined) return port
  }
}

const ticks = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout) || 100
/** User and system time of a process and all its threads, seconds. */
export const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticks
}
/** Resident memory of a process, MiB. */
export const rssMiB = (pid: number): number => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) / 1024

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("close", () => resolve())))

const untilAnswers = async (port: number, alive: () => boolean): Promise<void> => {
  const end = performance.now() + 120_000
  while (!(await answersMetadata(port))) {
    if (!alive() || performance.now() > end) throw new Error(`nobody answers on port ${port}`)
    await Bun.sleep(2)
  }
}

/** Both let go of old segments at once: a run writes far more than a disk holds. The topic says how much stays (`createTopic`). */
const retention = ["log.retention.check.interval.ms=500", "log.segment.delete.delay.ms=500"]

/** Our broker, as the compiled program. */
export const startOurs = async (program: ReadonlyArray<string>): Promise<Broker> => {
  const port = await freePort()
  const data = mkdtempSync(join(tmpdir(), "franz-bench-"))
  const [command = "", ...args] = program
  const started = performance.now()
  const child = spawn(command, [...args, "up", "--port", String(port), "--data", data, ...retention.flatMap((setting) => ["-X", setting])], { stdio: "ignore" })
  await untilAnswers(port, () => child.exitCode === null)
  const pid = child.pid ?? 0
  return {
    name: "ours",
    port,
    pid,
    startSeconds: (performance.now() - started) / 1000,
    startCpuSeconds: cpuSeconds(pid),
    stop: async () => {
      child.kill("SIGTERM")
      await ended(child)
      rmSync(data, { recursive: true, force: true })
    }
  }
}

export const kafkaAvailable = (): boolean => spawnSync("bash", [peer, "available"]).status === 0

/** Real Apache Kafka. Its start is counted without formatting its directory, from the process on. */
export const startKafka = async (): Promise<Broker> => {
  const port = await freePort()
  const out = spawnSync("bash", [peer, "start", String(port)], { encoding: "utf8", env: { ...process.env, KAFKA_PEER_EXTRA: retention.join("\n") } })
  if (out.status !== 0) throw new Error(out.stderr)
  spawnSync("bash", [peer, "stop", String(port)], { env: { ...process.env, KAFKA_PEER_KEEP: "1" } })
  const { startCpuSeconds, startSeconds, pid } = await againKafka(port)
  return {
    name: "kafka",
    port,
    pid,
    startSeconds,
    startCpuSeconds,
    stop: async () => void spawnSync("bash", [peer, "stop", String(port)])
  }
}

/** Starts the node that was just formatted once more, with the clock running. */
const againKafka = async (port: number): Promise<{ readonly pid: number; readonly startSeconds: number; readonly startCpuSeconds: number }> => {
  while (await answersMetadata(port)) await Bun.sleep(50)
  const started = performance.now()
  const out = spawnSync("bash", [peer, "again", String(port)], { encoding: "utf8" })
  const pid = Number(out.stdout.trim())
  await untilAnswers(port, () => out.status === 0)
  return { pid, startSeconds: (performance.now() - started) / 1000, startCpuSeconds: cpuSeconds(pid) }
}
