import { spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import { leaves } from "./cleanup.ts"
import { freePort } from "./port.ts"
import { cpuSeconds, ended, output, temporaryDirectory } from "./process.ts"
import { answersMetadata, type TopicSpec } from "./topic.ts"

const root = join(import.meta.dir, "../..")
export const peerScript = join(root, "scripts/kafka-peer.sh")

/** Ours, or what it is measured beside: real Kafka, another build of ours, or another client. */
export type Side = "ours" | "peer"

/** A broker under load: ours or the peer. */
export interface Broker {
  readonly side: Side
  readonly isKafka: boolean
  readonly port: number
  readonly pid: number
  /** From its start to the first answer to Metadata, seconds of the clock and of the processor. */
  readonly startSeconds: number
  readonly startCpuSeconds: number
  readonly stop: () => Promise<void>
}

/** What is measured beside our program: Apache Kafka, another build of our program (its path), or nothing. */
export type Peer = "kafka" | { readonly program: string } | undefined

/** The brokers that a row may start. */
export interface Brokers {
  /** Ours, and the peer where there is one. */
  readonly sides: ReadonlyArray<Side>
  readonly start: (side: Side) => Promise<Broker>
  /** Ours on data that is there already; started when it answers for `topic`. The data stays. */
  readonly startOn: (data: string, topic?: TopicSpec) => Promise<Broker>
}

const untilAnswers = async (port: number, alive: () => boolean, topic?: TopicSpec): Promise<void> => {
  const end = performance.now() + 120_000
  while (!(await answersMetadata(port, topic))) {
    if (!alive() || performance.now() > end) throw new Error(`no broker answers on port ${port}`)
    await Bun.sleep(2)
  }
}

/** Both let go of old segments at once: a run writes far more than a disk holds. The topic says how much stays (`createTopic`). */
export const retention = ["log.retention.check.interval.ms=500", "log.segment.delete.delay.ms=500"]

/** Our broker: a leader and a broker in one process, as `franz up` starts them. */
const startOn = async (program: ReadonlyArray<string>, data: string, topic?: TopicSpec): Promise<Broker> => {
  const port = await freePort()
  const [command = "", ...args] = program
  const started = performance.now()
  const child = spawn(command, [...args, "up", "--port", String(port), "--data", data, ...retention.flatMap((setting) => ["-X", setting])], { stdio: "ignore" })
  const kill = leaves(() => child.kill("SIGKILL"))
  await untilAnswers(port, () => child.exitCode === null, topic)
  const startSeconds = (performance.now() - started) / 1000
  const pid = child.pid ?? 0
  const stop = async () => {
    child.kill("SIGTERM")
    await ended(child)
    kill()
  }
  return { side: "ours", isKafka: false, port, pid, startSeconds, startCpuSeconds: cpuSeconds(pid), stop }
}

const startOurs = async (program: ReadonlyArray<string>): Promise<Broker> => {
  const data = temporaryDirectory()
  const broker = await startOn(program, data.path)
  return { ...broker, stop: () => broker.stop().finally(data.remove) }
}

/** Real Apache Kafka. Its start is counted without formatting its directory, from the process on: it is stopped once, and started again with the clock running. */
const startKafka = async (): Promise<Broker> => {
  const port = await freePort()
  const stop = leaves(() => spawnSync("bash", [peerScript, "stop", String(port)]))
  // Waited for without blocking, so that an interruption is heard meanwhile.
  await output("bash", [peerScript, "start", String(port)], { KAFKA_PEER_EXTRA: retention.join("\n") })
  await output("bash", [peerScript, "stop", String(port)], { KAFKA_PEER_KEEP: "1" })
  while (await answersMetadata(port)) await Bun.sleep(50)
  const started = performance.now()
  const again = spawnSync("bash", [peerScript, "again", String(port)], { encoding: "utf8" })
  const pid = Number(again.stdout.trim())
  await untilAnswers(port, () => again.status === 0)
  const startSeconds = (performance.now() - started) / 1000
  return { side: "peer", isKafka: true, port, pid, startSeconds, startCpuSeconds: cpuSeconds(pid), stop: async () => stop() }
}

export const kafkaAvailable = (): boolean => spawnSync("bash", [peerScript, "available"]).status === 0

const startPeer = async (peer: Peer): Promise<Broker> => (typeof peer === "object" ? { ...(await startOurs([peer.program])), side: "peer" } : startKafka())

export const brokersOf = (program: ReadonlyArray<string>, peer: Peer): Brokers => ({
  sides: peer === undefined ? ["ours"] : ["ours", "peer"],
  start: (side) => (side === "ours" ? startOurs(program) : startPeer(peer)),
  startOn: (data, topic) => startOn(program, data, topic)
})
