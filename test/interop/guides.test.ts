import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { startCluster } from "../../src/programs/testing.ts"
import { root, run } from "./support/process.ts"

/** The code blocks of a language ("" for none), in their order. */
const blocks = (text: string, language: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, of, code = ""]) => (of === language ? [code] : []))

/** The warnings of workers about messages that they put aside: they have times. */
const warnings = /^timestamp=\S+ level=WARN .* was put aside to .*\n/gm

/** The programs of guides: the blocks of a language are one program, which prints the guide's last block without a language. */
const programs = [
  ["worker", "ts"],
  ["typed-topics", "ts"],
  ["operations", "ts"],
  ["from-kafkajs", "js"],
  ["from-kafkajs", "ts"]
] as const
for (const [guide, language] of programs)
  test(`docs/guides/${guide}.md prints what it says (${language})`, async () => {
    const text = readFileSync(join(root, "docs/guides", `${guide}.md`), "utf8")
    const printed = blocks(text, "").at(-1) ?? ""
    const cluster = await startCluster({ brokers: 1 })
    try {
      const program = blocks(text, language).join("\n").replace("127.0.0.1:9092", cluster.bootstrap)
      expect(program).toContain(cluster.bootstrap)
      expect((await run(process.execPath, ["-e", program])).replace(warnings, "")).toBe(printed)
    } finally {
      await cluster.close()
    }
  }, 120_000)

/** The code of a column of the guide's tables, line by line. */
const column = (text: string, at: number): string =>
  [...text.matchAll(/^\|(.*)\|(.*)\|$/gm)].flatMap((row) => [...(row[at]?.matchAll(/^ `(.*)` $/g) ?? [])].map(([, code = ""]) => code)).join("\n")

test("docs/guides/promises.md: KafkaJS's lines and ours do the same", async () => {
  const text = readFileSync(join(root, "docs/guides/promises.md"), "utf8")
  const printed = blocks(text, "").at(-1) ?? ""
  for (const [at, from] of [
    [1, "kafkajs"],
    [2, "comanche-franz/promise"]
  ] as const) {
    const cluster = await startCluster({ brokers: 1 })
    try {
      const program = column(text, at).replace("127.0.0.1:9092", cluster.bootstrap)
      expect(program).toContain(`from "${from}"`)
      expect(program).toContain(cluster.bootstrap)
      expect((await run(process.execPath, ["-e", program])).replace(warnings, "")).toBe(printed)
    } finally {
      await cluster.close()
    }
  }
}, 120_000)
