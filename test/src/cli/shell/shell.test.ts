import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { command } from "../../../../src/cli/shell/command.ts"
import { CliFailure, exitCodes } from "../../../../src/cli/shell/failure.ts"
import { runProgram } from "../../../../src/cli/shell/shell.ts"
import { noArgument } from "../../../../src/cli/shell/spec.ts"
import { commands } from "../../../../src/programs/commands.ts"
import { printed } from "../support.ts"

const outcome = (path: string, run: Effect.Effect<void, CliFailure>) =>
  command({ path, summary: path, example: [`franz ${path}`], options: {}, argument: noArgument, run: () => run })
const program = {
  name: "franz",
  version: "1.2.3",
  summary: "tries",
  commands: [
    outcome("well", Effect.void),
    outcome("busy", Effect.fail(new CliFailure({ exit: "busy", message: "the port is in use", hint: "take another" }))),
    outcome("broken", Effect.die(new Error("a bug"))),
    outcome("topic list", Effect.void),
    outcome("topic describe", Effect.void),
    outcome("stopped", Effect.interrupt)
  ]
}
const exit = (words: string, of: typeof program = program) => Effect.runPromise(runProgram(of, words === "" ? [] : words.split(" ")))
const quietly = async (words: string, stream: "stdout" | "stderr" = "stderr") => {
  let code = -1
  const text = await printed(stream, async () => {
    code = await exit(words)
  })
  return { code, text }
}

describe("exit codes", () => {
  test("done", async () => expect(await exit("well")).toBe(0))
  test("a failure says its line and its hint", async () =>
    expect(await quietly("busy")).toEqual({ code: exitCodes.busy, text: "franz: the port is in use\ntake another\n" }))
  test("a bug is called one", async () => {
    const { code, text } = await quietly("broken")
    expect(code).toBe(exitCodes.internal)
    expect(text).toContain("a bug in franz itself")
  })
  test("interrupted", async () => expect((await quietly("stopped")).code).toBe(130))
  test("a wrong word", async () =>
    expect(await quietly("wel")).toEqual({ code: 2, text: "franz: there is no command 'wel'. Did you mean 'well'?\nfranz --help lists the commands.\n" }))
  test("a wrong second word", async () =>
    expect((await quietly("topic lst")).text).toBe("franz: there is no command 'topic lst'. Did you mean 'list'?\nCommands of franz topic: list, describe.\n"))
  test("a wrong option of the program", async () => expect((await quietly("--verson")).text).toContain("Did you mean '--version'?"))
})

describe("help", () => {
  for (const words of ["", "--help", "-h", "help"]) {
    test(`'franz ${words}' lists every command`, async () => {
      const { code, text } = await quietly(words, "stdout")
      expect(code).toBe(0)
      for (const { path } of program.commands) expect(text).toContain(path.join(" "))
    })
  }
  test("the words before a group's commands list them", async () => expect((await quietly("topic", "stdout")).text).toContain("franz topic describe"))
  test("--version is the package's", async () => expect((await quietly("--version", "stdout")).text).toBe("franz 1.2.3\n"))

  for (const { help, path, summary } of commands) {
    test(`franz ${path.join(" ")} --help has an example that begins as the command does`, () => {
      const lines = help("franz")
      const at = lines.findIndex((line) => line.includes("Example"))
      expect(at).toBeGreaterThan(0)
      expect(lines.slice(at + 1).some((line) => line.includes(`franz ${path.join(" ")}`))).toBe(true)
      expect(summary).not.toBe("")
    })
  }
})
