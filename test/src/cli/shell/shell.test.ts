import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { command } from "../../../../src/cli/shell/command.ts"
import { CliFailure, exitCodes } from "../../../../src/cli/shell/failure.ts"
import { runProgram } from "../../../../src/cli/shell/shell.ts"
import { flag, noArgument, optionalText } from "../../../../src/cli/shell/spec.ts"
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
  test("the hints of several failures are lines", async () => {
    const several = { ...program, commands: [outcome("busy", Effect.fail(new CliFailure({ exit: "busy", message: "a\nb", hint: "c\nd" })))] }
    expect(await printed("stderr", () => exit("busy", several))).toBe("franz: a\nb\nc\nd\n")
  })
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

describe("errors under --json are JSON on standard error", () => {
  const jsonFlag = { json: flag({ name: "json", help: "JSON." }), group: optionalText({ name: "group", placeholder: "GROUP", help: "A group." }) }
  const sample = (path: string, run: Effect.Effect<void, CliFailure>) =>
    command({ path, summary: path, example: [`franz ${path}`], options: jsonFlag, argument: noArgument, run: () => run })
  const withJson: typeof program = {
    ...program,
    commands: [
      sample("busy", Effect.fail(new CliFailure({ exit: "busy", message: "the port\nis in use", hint: "take another" }))),
      sample("broken", Effect.die(new Error("a bug")))
    ]
  }
  const said = (words: string) => printed("stderr", () => exit(words, withJson))
  test("a failure, with its hint, on one line", async () => {
    const text = await said("busy --json")
    expect(text).toEndWith("}\n")
    expect(text.split("\n")).toHaveLength(2)
    expect(JSON.parse(text)).toEqual({ error: "busy", exitCode: 73, message: "the port\nis in use", hint: "take another" })
  })
  test("a usage error, and a bug", async () => {
    expect(JSON.parse(await said("busy --jsn --json"))).toMatchObject({
      error: "usage",
      exitCode: 2,
      message: "there is no option --jsn here. Did you mean '--json'?"
    })
    expect(JSON.parse(await said("bsy --json"))).toMatchObject({ error: "usage", message: "there is no command 'bsy'. Did you mean 'busy'?" })
    expect(JSON.parse(await said("broken --json=true"))).toMatchObject({
      error: "internal",
      exitCode: 70,
      message: expect.stringContaining("a bug in franz itself")
    })
  })
  test("text where JSON is not asked for", async () => {
    expect(await said("busy --json false")).toBe("franz: the port\nis in use\ntake another\n")
    expect(await said("busy -- --json")).toStartWith("franz: '--json' is one word too many.")
  })
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
