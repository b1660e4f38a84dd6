import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { leaves } from "../../bench/cleanup.ts"
import { ended } from "../../bench/process.ts"
import { type ClientKind, javaClasspath, python } from "../clients.ts"
import { type MemberLine, parseMemberLine } from "./member-line.ts"

const root = join(import.meta.dir, "../../..")

const commandOf = async (kind: ClientKind): Promise<ReadonlyArray<string>> => {
  if (kind === "ours") return [process.execPath, join(root, "scripts/torture/coordinators/member/ours.ts")]
  if (kind === "librdkafka") return [python, join(root, "scripts/torture/coordinators/member/librdkafka.py")]
  return [
    "java",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    await javaClasspath(),
    join(root, "scripts/torture/coordinators/member/TortureMember.java")
  ]
}

interface Membership {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  readonly count: number
}

/** A program with the members of one group. */
export class Members {
  private isExpected = false
  private constructor(private readonly child: ChildProcess) {}

  /** `take` is called with each line, `complain` with what is no line and with its end. */
  static async start(kind: ClientKind, of: Membership, take: (line: MemberLine) => void, complain: (text: string) => void): Promise<Members> {
    const [command = "", ...args] = await commandOf(kind)
    const child = spawn(command, [...args, of.bootstrap, of.topic, of.group, String(of.count)], { stdio: ["pipe", "pipe", "pipe"] })
    child.once(
      "close",
      leaves(() => child.kill("SIGKILL"))
    )
    const members = new Members(child)
    child.once("exit", (code, signal) => {
      if (!members.isExpected) complain(`the members of ${kind} ended with ${code ?? signal}`)
    })
    let rest = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const text of lines) {
        const line = parseMemberLine(text)
        if (line === undefined) complain(`the members of ${kind} printed '${text}'`)
        else take(line)
      }
    })
    child.stdin.on("error", () => {})
    child.stderr.setEncoding("utf8").on("data", (text: string) => take({ kind: "note", text: text.trimEnd() }))
    return members
  }
  async end(): Promise<void> {
    this.isExpected = true
    this.child.kill("SIGKILL")
    await ended(this.child)
  }
}
