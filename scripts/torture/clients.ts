import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { leaves } from "../bench/cleanup.ts"
import { ended, has, output } from "../bench/process.ts"
import { type ClientLine, parseClientLine } from "./client-line.ts"

export const clientKinds = ["librdkafka", "java", "ours"] as const
export type ClientKind = (typeof clientKinds)[number]

const root = join(import.meta.dir, "../..")
const peer = join(root, "scripts/kafka-peer.sh")
export const python = process.env.FRANZ_PYTHON ?? "python3"

/** The clients that this machine has: confluent-kafka for librdkafka, and Kafka's jars for Java. */
export const availableClients = (): ReadonlyArray<ClientKind> =>
  clientKinds.filter((kind) => {
    if (kind === "librdkafka") return has(python, "-c", "import confluent_kafka")
    return kind === "java" ? has("bash", peer, "ready") : true
  })

/** The jars of Kafka's Java client. */
export const javaClasspath = async (): Promise<string> => (await output("bash", [peer, "classpath"])).trim()

const commandOf = async (kind: ClientKind): Promise<ReadonlyArray<string>> => {
  if (kind === "ours") return [process.execPath, join(root, "scripts/torture/client/ours.ts")]
  if (kind === "librdkafka") return [python, join(root, "scripts/torture/client/librdkafka.py")]
  return [
    "java",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    await javaClasspath(),
    join(root, "scripts/torture/client/TortureClient.java")
  ]
}

interface Load {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  readonly perSecond: number
}

/** A client program: a producer and a reader. */
export class Client {
  /** Whether each of its messages has an outcome. */
  hasFlushed = false
  private isExpected = false
  private constructor(
    readonly kind: ClientKind,
    private readonly child: ChildProcess,
    private readonly onEnd: (text: string) => void
  ) {
    child.once("exit", (code, signal) => {
      if (!this.isExpected) this.onEnd(`the client ${kind} ended with ${code ?? signal}`)
    })
  }

  /** `take` is called with each line, `complain` with what is no line and with its end. */
  static async start(kind: ClientKind, load: Load, take: (kind: ClientKind, line: ClientLine) => void, complain: (text: string) => void): Promise<Client> {
    const [command = "", ...args] = await commandOf(kind)
    const child = spawn(command, [...args, load.bootstrap, load.topic, String(load.partitions), String(load.perSecond), kind], {
      stdio: ["pipe", "pipe", "pipe"]
    })
    child.once(
      "close",
      leaves(() => child.kill("SIGKILL"))
    )
    const client = new Client(kind, child, complain)
    let rest = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const text of lines) {
        const line = parseClientLine(text)
        if (line === undefined) complain(`the client ${kind} printed '${text}'`)
        else if (line.kind === "flushed") client.hasFlushed = true
        else take(kind, line)
      }
    })
    child.stdin.on("error", () => {})
    child.stderr.setEncoding("utf8").on("data", (text: string) => take(kind, { kind: "note", text: text.trimEnd() }))
    return client
  }
  /** Ends the sending; the reader continues. */
  stopSending(): void {
    this.child.stdin?.write("stop\n")
  }
  async end(): Promise<void> {
    this.isExpected = true
    this.child.kill("SIGKILL")
    await ended(this.child)
  }
}
