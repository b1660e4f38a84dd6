import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { testedRange } from "../../scripts/package/manifest.ts"
import { nodeOf, toolsAreThere } from "../../scripts/package/tools.ts"
import { type Node, ready } from "./support/franz.ts"
import { packedLibrary } from "./support/packed-library.ts"
import { Run, root, run, temporaryDirectory } from "./support/process.ts"

/** The guides and the example as a reader follows them: in an empty folder, with the packed package. */
const isMissing = process.env.FRANZ_REQUIRE_PEERS === undefined && (Bun.which("npm") === null || !toolsAreThere())
const guides = join(root, "docs/guides")
const away = temporaryDirectory()
/** The folder that the first guide makes. The other guides and the example are tried within it. */
const project = join(away.path, "first-message")
let tarball = ""
let node: Node | undefined

const env = { PATH: `${dirname(nodeOf("24"))}:${process.env.PATH}`, npm_config_audit: "false", npm_config_fund: "false", npm_config_prefer_offline: "true" }
/** Less than a test's own deadline, which would say nothing of what hangs. */
const commandsMs = 90_000
const inShell = (cwd: string, commands: string) =>
  run("/bin/sh", ["-ec", commands], {
    cwd,
    env: { ...env, ...(node === undefined ? {} : { FRANZ_LEADER: node.address }) },
    withinMs: commandsMs,
    ownsGroup: true
  })
const deno = () => {
  const scope = join(root, "node_modules/@deno")
  return join(scope, readdirSync(scope)[0] ?? "", "deno")
}

interface Block {
  readonly language: string
  readonly code: string
}
const blocksOf = (guide: string): ReadonlyArray<Block> =>
  [...readFileSync(join(guides, `${guide}.md`), "utf8").matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) => ({ language, code }))
/** The file that the first line of a block names. */
const fileOf = (code: string): string => code.match(/^\/\/ (\S+)\n/)?.[1] ?? ""

/** Starts the line that ends with `&`, on a free port, and waits until it serves. */
const startNode = async (cwd: string, line: string): Promise<Node> => {
  const [, command = ""] = line.match(/^npx comanche-franz (.*) --port 9092 &\n$/) ?? []
  return ready(Run.start(nodeOf("24"), ["node_modules/comanche-franz/dist/lib/franz.js", ...command.split(" "), "--port", "0"], { cwd }))
}

/** Does what a reader does with a block; what it printed. */
const follow = async ({ code, language }: Block): Promise<string> => {
  if (language === "ts") appendFileSync(join(project, fileOf(code)), code)
  else if (code.endsWith("&\n")) node = await startNode(project, code)
  else if (code.startsWith("mkdir")) {
    const install = `npm install ${tarball} effect@${testedRange.newest}`
    expect(code).toContain("npm install comanche-franz effect@3")
    return inShell(away.path, code.replace("npm install comanche-franz effect@3", install))
  } else return inShell(project, code)
  return ""
}

beforeAll(async () => {
  if (isMissing) return
  if (!toolsAreThere()) throw new Error("Node 24 and the tools of the package's tests are missing: run bun scripts/package/tools.ts")
  tarball = await packedLibrary()
}, 300_000)
afterAll(async () => {
  await node?.process.kill("SIGTERM")
  away.remove()
})

describe.skipIf(isMissing)("with the packed package", () => {
  test("docs/guides/first-message.md, command by command", async () => {
    let printed = ""
    for (const block of blocksOf("first-message"))
      if (block.language === "") expect(printed).toEndWith(block.code)
      else printed = await follow(block)
    // Machines with Bun hide a command that Node cannot run.
    expect(readFileSync(join(project, "node_modules/comanche-franz/dist/lib/franz.js"), "utf8")).toStartWith("#!/usr/bin/env node\n")
    expect(await run(process.execPath, ["hello.ts"], { cwd: project })).toBe("ann: hello\n")
    expect(await run(deno(), ["run", "-A", "hello.ts"], { cwd: project })).toBe("ann: hello\n")
  }, 120_000)

  test("docs/guides/testing.md, file by file", async () => {
    let printed = ""
    for (const block of blocksOf("testing")) printed = await follow(block)
    expect(printed).toMatch(/pass 3\b/)
  }, 120_000)

  describe("examples/orders-service", () => {
    const example = join(project, "orders-service")
    beforeAll(() => cpSync(join(root, "examples/orders-service"), example, { recursive: true }))

    test.each([
      ["Node", () => [nodeOf("24"), "--test", "test/service.test.ts"], /pass 1\b/],
      ["Bun", () => [process.execPath, "test", "test/service.test.ts"], /1 pass/],
      ["Deno", () => [deno(), "test", "-A", "--no-check", "test/service.test.ts"], /1 passed/]
    ] as const)(
      "its tests pass on %s",
      async (_, command, passed) => {
        const [program = "", ...args] = command()
        const ran = await Run.start(program, args, { cwd: example, env: { NO_COLOR: "1" } }).end()
        expect(`${ran.stdout}${ran.stderr}`).toMatch(passed)
        expect(ran.code).toBe(0)
      },
      120_000
    )

    test("it ends with an error where it cannot begin", async () => {
      const service = Run.start(nodeOf("24"), ["src/main.ts"], { cwd: example, env: { KAFKA_ADDRESSES: "127.0.0.1:port", PORT: "0" } })
      const { code, stdout } = await service.end()
      expect(stdout).toContain("InvalidAddress")
      expect(code).toBe(1)
    }, 120_000)

    test("it serves until SIGTERM", async () => {
      // The node of the guides ends with a test that takes too long.
      if (node?.process.isRunning !== true) node = await startNode(project, "npx comanche-franz up --data data --port 9092 &\n")
      const service = Run.start(nodeOf("24"), ["src/main.ts"], { cwd: example, env: { KAFKA_ADDRESSES: node.address, PORT: "0" } })
      const [, url = ""] = await service.says(/listening on (http:\S+\/orders)/)
      const response = await fetch(url, { method: "POST", body: '{"id":"o-1","customer":"ann","cents":4200}' })
      expect(await response.text()).toMatch(/^stored as orders-\d@\d+\n$/)
      service.child.kill("SIGTERM")
      expect((await service.end()).code).toBe(0)
    }, 120_000)
  })

  test("the compiler accepts the guides and the example", async () => {
    mkdirSync(join(project, "guides"), { recursive: true })
    for (const guide of ["worker", "typed-topics", "operations", "from-kafkajs"]) {
      const program = blocksOf(guide).flatMap(({ code, language }) => (language === "ts" ? [code] : []))
      writeFileSync(join(project, "guides", `${guide}.ts`), program.join("\n"))
    }
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      module: "nodenext",
      target: "esnext",
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      typeRoots: [join(root, "node_modules/@types")],
      types: ["node"]
    }
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "guides/*.ts", "orders-service/**/*.ts"] }))
    const ran = await Run.start(join(root, "node_modules/.bin/tsc"), ["-p", "."], { cwd: project }).end()
    expect(ran.stdout).toBe("")
    expect(ran.code).toBe(0)
  }, 120_000)
})
