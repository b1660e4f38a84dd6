import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { Glob } from "bun"
import { batchesOf } from "../../scripts/test/interop.ts"
import { runInLanes } from "../../scripts/test/lanes.ts"
import { temporaryDirectory } from "../interop/support/process.ts"

const root = join(import.meta.dir, "../..")

describe("./franz test", () => {
  test("runs every file of test/interop once, and names none that is not there", () => {
    const files = [...new Glob("test/interop/**/*.test.ts").scanSync(root)].sort()
    expect(files.length).toBeGreaterThan(40)
    expect(batchesOf(files).flat().toSorted()).toEqual(files)
  })

  test("counts the tests of all batches; one that fails, one that ends its process and one without a report are failures", async () => {
    const data = temporaryDirectory()
    const file = (name: string, body: string): string => {
      const path = join(data.path, `${name}.test.ts`)
      writeFileSync(path, `import { expect, test } from "bun:test"\n${body}\n`)
      return relative(root, path)
    }
    const passing = (name: string) => file(name, 'test("one", () => expect(1).toBe(1))\ntest("two", () => expect(1).toBe(1))')
    const batches = [
      [passing("first"), passing("second")],
      [file("skipped", 'test.skip("left out", () => undefined)')],
      [file("failing", 'test("good", () => expect(1).toBe(1))\ntest("bad", () => expect(1).toBe(2))')],
      [file("ending", 'test("ends", () => process.exit(3))')],
      [file("broken", "throw new Error('at its start')")]
    ]
    const printed: Array<string> = []
    const counts = await runInLanes(root, batches, 2, (text) => printed.push(text))
    data.remove()
    const sum = (what: "passed" | "failed" | "skipped") => counts.reduce((total, count) => total + count[what], 0)
    expect({ passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") }).toEqual({ passed: 5, failed: 3, skipped: 1 })
    const failures = counts.flatMap((count) => count.failures)
    expect(failures.length).toBe(3)
    const failureOf = (name: string) => failures.find((failure) => failure.includes(`${basename(data.path)}/${name}.test.ts`))
    expect(failureOf("failing")).toMatch(/test\.ts:3 bad\n {2}AssertionError: expect\(received\)\.toBe\(expected\)\n {2}\n {2}Expected: 2/)
    expect(failureOf("ending")).toMatch(/test\.ts: ended with status 3 and without a report/)
    expect(failureOf("broken")).toMatch(/test\.ts: ended with status 1 and without a report\n.*error: at its start/s)
    expect(printed.join("\n")).toMatch(/\(fail\) bad.*\n-- .*failing\.test\.ts: [\d.]+ s, [\d.]+ s of processor time/s)
  })
})
