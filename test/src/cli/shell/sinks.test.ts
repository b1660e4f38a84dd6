import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { bold, print, printError, printJson, rendered, table, write, writeRaw } from "../../../../src/cli/shell/screen.ts"
import { printed } from "../support.ts"

const root = join(import.meta.dir, "../../../..")
const hostile = "x\u001b[2J\u009b1m\r\nforged: line\u202e\u0007"
const harmful = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** Runs `use` as if stdout were a terminal. */
const onTerminal = async <A>(use: () => Promise<A>): Promise<A> => {
  const { isTTY } = process.stdout
  const { NO_COLOR } = process.env
  process.stdout.isTTY = true
  delete process.env["NO_COLOR"]
  try {
    return await use()
  } finally {
    process.stdout.isTTY = isTTY
    if (NO_COLOR !== undefined) process.env["NO_COLOR"] = NO_COLOR
  }
}

describe("what is printed", () => {
  test("a line stays one line without anything that a terminal obeys, on both streams", async () => {
    const texts = [
      await printed("stdout", async () => print(`group ${hostile}`)),
      await printed("stderr", async () => printError(`franz: ${hostile}`)),
      await printed("stdout", async () => printJson({ [hostile]: hostile })),
      await printed("stdout", async () =>
        table(["NAME", "N"], [[hostile, 1]])
          .slice(1)
          .forEach((line) => print(line))
      )
    ]
    for (const text of texts) {
      expect(text).not.toMatch(harmful)
      expect(text.split("\n")).toHaveLength(2)
    }
  })
  test("our own styles reach a terminal, and no text can forge one", () =>
    onTerminal(async () => {
      expect(rendered(bold("name"))).toBe("\u001b[1mname\u001b[0m")
      expect(rendered(bold(hostile)).replaceAll("\u001b[1m", "").replaceAll("\u001b[0m", "")).not.toMatch(harmful)
      expect(rendered("<00000000-0000-0000-0000-000000000000:1>")).toBe("<00000000-0000-0000-0000-000000000000:1>")
    }))
  test("messages: bytes as they are to a pipe and with --raw, escaped to a terminal", async () => {
    const bytes = new TextEncoder().encode(`${hostile}\tü\n`)
    const of = (run: (bytes: Uint8Array) => Effect.Effect<void>) => printed("stdout", () => Effect.runPromise(run(bytes)))
    expect(await of(write)).toBe(`${hostile}\tü\n`)
    expect(await onTerminal(() => of(writeRaw))).toBe(`${hostile}\tü\n`)
    expect(await onTerminal(() => of(write))).toBe("x\\u001b[2J\\u009b1m\\u000d\nforged: line\\u202e\\u0007\tü\n")
  })
})

/** The text of a file without its docstrings, whose examples print for their readers. */
const withoutExamples = (text: string): string => text.replace(/^ *\/\*\*[\s\S]*?\*\//gm, "")
test("there is no other way to a terminal: only the screen and the logger write to the process's streams", () => {
  const writers = [...new Bun.Glob("{src,adapters,domain}/**/*.ts").scanSync(root)].filter((file) =>
    /\b(stdout|stderr)\.write|\bconsole\.(log|error|warn|info)\b/.test(withoutExamples(readFileSync(join(root, file), "utf8")))
  )
  // log/command.ts shows progress by one line that it writes over.
  expect(writers.sort()).toEqual(["src/cli/log/command.ts", "src/cli/shell/logger.ts", "src/cli/shell/screen.ts"])
})
