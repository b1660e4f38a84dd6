import { afterAll, describe, expect, test } from "bun:test"
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { rows } from "../../scripts/bench/rows.ts"
import { deadlineMs, Run, root, temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

/** A bound for what runs many processes one after the other; it ends a run that hangs, and measures no speed. */
const longMs = 600_000
/** Above it, so that the run ends first, and its output is seen. */
const testMs = longMs + deadlineMs

/** Figures that need a foreign client, which a machine may lack; native clients are not built in the tiny form. */
const foreign = /^(3|7)|-(librdkafka|franz-go|confluent)/

describe("./franz bench", () => {
  test(
    "in its tiny form measures every row",
    async () => {
      const file = join(data.path, "bench.json")
      const ended = await Run.start(process.execPath, ["scripts/bench.ts", "--tiny", "--json", file]).end(longMs)
      expect(ended).toMatchObject({ code: 0 })
      const { results } = (await Bun.file(file).json()) as { readonly results: ReadonlyArray<{ readonly id: string; readonly ours: number | null }> }
      const measured = results.map(({ id }) => id)
      const expected = rows.flatMap(({ figures }) => figures.map(({ id }) => id)).filter((id) => measured.includes(id) || !foreign.test(id))
      expect(measured).toEqual(expected)
      // Memory and added time may come out as nothing or less where so little is done; all others are counts of events.
      for (const { id, ours } of results) expect(id === "11" || id === "15c" ? Number.isFinite(ours) : (ours ?? 0) > 0).toBe(true)
    },
    testMs
  )
  test("names the rows when the requested one does not exist", async () => {
    const ended = await Run.start(process.execPath, ["scripts/bench.ts", "produced"]).end()
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain("'produced' is not known. Rows: 8 start, 1 produce")
  })
})

describe("./franz compare", () => {
  test("names the cases when the requested one does not exist; oracle.test.ts runs them", async () => {
    const ended = await Run.start(process.execPath, ["scripts/compare.ts", "--only", "nothing like it"]).end()
    expect(ended.code).toBe(64)
    expect(ended.stderr).toContain("No case is called so. There are: ApiVersions, FindCoordinator")
    expect((await Run.start(process.execPath, ["scripts/compare.ts", "--quick"]).end()).code).toBe(64)
  })
})

describe("./franz check", () => {
  test(
    "fails when a domain file imports node:fs, and names the file and the line",
    async () => {
      const copy = join(data.path, "copy")
      mkdirSync(copy)
      for (const name of ["domain", "src", "adapters", "scripts", "test", "package.json", "tsconfig.json", "biome.json", ".oxlintrc.json"])
        cpSync(join(root, name), join(copy, name), { recursive: true })
      symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
      const file = join(copy, "domain/log/segment.ts")
      writeFileSync(file, `import { readFileSync } from "node:fs"\n\nexport const secret = readFileSync("/etc/hostname")\n${await Bun.file(file).text()}`)
      const broken = await Run.start(process.execPath, ["scripts/check.ts"], { cwd: copy }).end(longMs)
      expect(broken.code).toBe(1)
      expect(broken.stdout).toMatch(/domain\/log\/segment\.ts:1 domain\/ must not import "node:fs"/)
    },
    testMs
  )
})

describe("./franz", () => {
  const shell = (path: string, ...args: ReadonlyArray<string>) => Run.start("/bin/sh", [join(root, "franz"), ...args], { env: { PATH: path } }).end()
  test("runs the program, with its exit code", async () => {
    expect(await shell(process.env.PATH ?? "", "--version")).toMatchObject({ code: 0, stdout: "franz 0.1.0\n" })
    expect((await shell(process.env.PATH ?? "", "upp")).code).toBe(2)
  })
  test("where neither bun nor npm is there, it says what to install", async () => {
    const tools = join(data.path, "tools")
    const bare = join(data.path, "bare")
    mkdirSync(tools)
    mkdirSync(bare)
    cpSync(join(root, "franz"), join(bare, "franz"))
    for (const tool of ["dirname", "sh", "cksum", "cat"]) symlinkSync(Bun.which(tool) ?? "", join(tools, tool))
    const ended = await Run.start("/bin/sh", [join(bare, "franz"), "up"], { env: { PATH: tools } }).end()
    expect(ended.code).toBe(69)
    expect(ended.stderr).toMatch(/needs bun.*npm.*apt-get install npm/s)
  })
})
