import { expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dir, "../..")
const listed = readFileSync(join(root, "franz"), "utf8").match(/^ {2}check \| (.*)\)$/m)

test("every command of a checkout tells its options with --help, and runs nothing", () => {
  const commands = ["check", ...(listed?.[1]?.split(" | ") ?? [])]
  expect(commands.length).toBeGreaterThan(10)
  for (const command of commands) {
    const { status, stderr, stdout } = spawnSync(join(root, "franz"), [command, "--help"], { encoding: "utf8" })
    expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" })
    expect(stdout).toContain(`./franz ${command}`)
  }
}, 300_000)
