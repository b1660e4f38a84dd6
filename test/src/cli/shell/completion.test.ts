import { describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { Effect } from "effect"
import { runProgram } from "../../../../src/cli/shell/shell.ts"
import { commands } from "../../../../src/programs/commands.ts"
import { printed } from "../support.ts"

const franz = { name: "franz", version: "1.2.3", summary: "tries", commands }
const script = (shell: string) => printed("stdout", () => Effect.runPromise(runProgram(franz, ["completion", shell])))

/** What bash offers for the last word of a line. */
const offered = async (line: string): Promise<ReadonlyArray<string>> => {
  const run = `${await script("bash")}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _franz; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stderr, stdout } = spawnSync("bash", ["-c", run, "bash", ...line.split(" ")], { encoding: "utf8" })
  expect(stderr).toBe("")
  return stdout.split("\n").filter((word) => word !== "")
}

describe("bash offers", () => {
  const cases: ReadonlyArray<readonly [line: string, words: ReadonlyArray<string>]> = [
    ["franz to", ["topic"]],
    ["franz help cons", ["consumer", "consume"]],
    ["franz topic c", ["create", "config", "copy"]],
    ["franz topic create --par", ["--partitions"]],
    ["franz group reset-offsets billing --to-", ["--to-earliest", "--to-latest", "--to-offset", "--to-time"]],
    ["franz consume orders --isolation read_", ["read_uncommitted", "read_committed"]],
    ["franz produce orders --acks ", ["all", "1", "0"]],
    ["franz produce orders -p ", []],
    ["franz broker --i", ["--id"]],
    ["franz broker config --se", ["--set"]]
  ]
  for (const [line, words] of cases) test(line, async () => expect(await offered(line)).toEqual(words))
  test("every command and every option of it", async () => {
    for (const { options, path } of commands) {
      expect(await offered(`franz ${path.join(" ")}`)).toContain(path.at(-1) ?? "")
      expect(await offered(`franz ${path.join(" ")} x --`)).toEqual(expect.arrayContaining(options.map(({ name }) => `--${name}`)))
    }
  })
})
test("zsh runs the completion of bash; fish has a line for each command and option, with its text quoted", async () => {
  expect(await script("zsh")).toContain(await script("bash"))
  const fish = await script("fish")
  expect(fish).toMatch(/^complete -c franz -n '__fish_seen_subcommand_from topic; and not [^']*' -a create -d 'create topics'$/m)
  expect(fish).toMatch(/^complete -c franz -n '__fish_seen_subcommand_from consume' -l isolation -x -a 'read_uncommitted read_committed' -d '/m)
  for (const line of fish.trimEnd().split("\n")) expect(line).toMatch(/^complete -c franz (?:[^'\\]|'(?:[^'\\]|\\['\\])*')*$/)
})
test("of another shell: a usage error with the shells that there are", async () =>
  expect(await printed("stderr", () => Effect.runPromise(runProgram(franz, ["completion", "csh"])))).toContain("expected bash, zsh, fish."))
