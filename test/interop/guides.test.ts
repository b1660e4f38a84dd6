import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { startCluster } from "../../src/programs/testing.ts"
import { root, run } from "./support/process.ts"

/** The code blocks of a language ("" for none), in their order. */
const blocks = (text: string, language: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, of, code = ""]) => (of === language ? [code] : []))

/** The TypeScript of a guide is one program, which prints its block without a language. */
for (const guide of ["worker", "typed-topics"])
  test(`docs/guides/${guide}.md prints what it says`, async () => {
    const text = readFileSync(join(root, "docs/guides", `${guide}.md`), "utf8")
    const printed = blocks(text, "").at(-1) ?? ""
    const cluster = await startCluster({ brokers: 1 })
    try {
      const program = blocks(text, "ts").join("\n").replace("127.0.0.1:9092", cluster.bootstrap)
      expect(program).toContain(cluster.bootstrap)
      expect(await run(process.execPath, ["-e", program])).toBe(printed)
    } finally {
      await cluster.close()
    }
  }, 120_000)
