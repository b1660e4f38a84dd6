/** The parts of the matrix: each runs the packed library as a user does, and throws what was wrong. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { readManifest, testedRange } from "./manifest.ts"
import { ended, Mismatch, type ProjectName, type Projects, ran } from "./project.ts"
import { nodeLines, nodeOf, otherEffect, toolFile, typescriptVersions } from "./tools.ts"

export interface Part {
  readonly group: "runs" | "test runners" | "command" | "other effect" | "types" | "package"
  readonly name: string
  /** Default true. The others take long. */
  readonly isInSuite?: boolean
  readonly run: (projects: Projects) => Promise<void>
}

/** The npm package's own binary of Deno. */
const denoOf = (root: string): string => {
  const scope = join(root, "node_modules/@deno")
  return join(scope, readdirSync(scope)[0] ?? "", "deno")
}

const printed = (text: string, pattern: RegExp): void => {
  if (!pattern.test(text)) throw new Mismatch(`it did not print ${pattern}:\n${text}`)
}

type Runtime = readonly [name: string, command: ReadonlyArray<string>]
const runtimesOf = (root: string): ReadonlyArray<Runtime> => [
  ["Bun", [process.execPath]],
  ["Deno", [denoOf(root), "run", "-A"]],
  ...nodeLines.map((line): Runtime => [`Node ${line}`, [nodeOf(line)]])
]

const roundTrip = (project: ProjectName, effect: string, [name, command]: Runtime): Part => ({
  group: "runs",
  name: `${name}, ${effect}`,
  run: async (projects) => printed(await ran([...command, "round-trip.mjs"], { cwd: await projects.at(project) }), /^read: 200$/m)
})

const runs = (root: string): ReadonlyArray<Part> => [
  ...runtimesOf(root).map((runtime) => roundTrip("newest", `effect ${testedRange.newest}`, runtime)),
  ...runtimesOf(root).map((runtime) => roundTrip("lowest", `effect ${testedRange.lowest}`, runtime)),
  ...runtimesOf(root)
    .filter(([name]) => ["Bun", "Node 22"].includes(name))
    .map((runtime) => roundTrip("without-addons", "without the addons", runtime)),
  ...runtimesOf(root)
    .filter(([name]) => ["Bun", "Deno", "Node 20"].includes(name))
    .map(
      ([name, command]): Part => ({
        group: "runs",
        name: `promises on ${name}`,
        run: async (projects) => printed(await ran([...command, "promises.mjs"], { cwd: await projects.at("newest") }), /^read: one, two$/m)
      })
    ),
  {
    group: "runs",
    name: "bun build --compile",
    run: async (projects) => {
      const cwd = await projects.at("newest")
      const program = join(projects.directory, "compiled")
      await ran([process.execPath, "build", "--compile", "round-trip.mjs", "--outfile", program], { cwd })
      printed(await ran([program], { cwd: projects.directory, env: { PATH: "/usr/bin:/bin" } }), /^read: 200$/m)
    }
  },
  ...nodeLines.map(
    (line): Part => ({
      group: "runs",
      name: `tsx on Node ${line}`,
      run: async (projects) =>
        printed(await ran([nodeOf(line), "node_modules/tsx/dist/cli.mjs", "typed-run.ts"], { cwd: await projects.at("newest") }), /^offset: 0$/m)
    })
  ),
  {
    group: "runs",
    name: "require() on Node 24",
    run: async (projects) => {
      const cwd = await projects.at("newest")
      printed(await ran([nodeOf("24"), "--input-type=commonjs", "-e", 'console.log(typeof require("comanche-franz").Producer.layer)'], { cwd }), /^function$/m)
    }
  }
]

/** A node with a batch in zstd, while the program of a runtime without zstd runs. */
const zstd = (): Part => ({
  group: "runs",
  name: "zstd on Node 20 is refused by name",
  run: async (projects) => {
    const cwd = await projects.at("newest")
    const node = Bun.spawn([nodeOf("24"), "send-zstd.mjs"], { cwd, stdin: "pipe", stdout: "pipe" })
    const { value } = await node.stdout.getReader().read()
    const text = await ran([nodeOf("20"), "zstd.mjs"], { cwd, env: { FRANZ_LEADER: new TextDecoder().decode(value).trim() } })
    await node.stdin.end()
    await node.exited
    printed(text, /options\.compression is "zstd"; allowed: .*this runtime has no zstd/)
    printed(text, /compressed-0@0 cannot be read: zstd: this runtime has no zstd/)
  }
})

/** A process that is killed beside its open cluster: its data goes as well. */
const killed = ([name, command]: Runtime): Part => ({
  group: "runs",
  name: `killed beside an open cluster, ${name}`,
  run: async (projects) => {
    const cwd = await projects.at("newest")
    const temporary = join(projects.directory, `killed-${name}`)
    mkdirSync(temporary)
    // Bun has a directory of its own there.
    const left = () => readdirSync(temporary).filter((each) => each.startsWith("comanche-franz-"))
    const child = Bun.spawn([...command, "open-cluster.mjs"], { cwd, env: { ...process.env, TMPDIR: temporary }, stdout: "pipe" })
    await child.stdout.getReader().read()
    if (left().length !== 1) throw new Mismatch(`a cluster has one directory: ${left()}`)
    child.kill("SIGKILL")
    await child.exited
    for (let tries = 600; left().length > 0; tries--) {
      if (tries === 0) throw new Mismatch(`left after a minute: ${left()}`)
      await Bun.sleep(100)
    }
  }
})

/** A test file for a runner, whose first line imports `test`. */
const suite = (name: string, file: string, from: string, command: ReadonlyArray<string>, passed: RegExp, project: ProjectName = "newest"): Part => ({
  group: "test runners",
  name,
  run: async (projects) => {
    const cwd = await projects.at(project)
    writeFileSync(join(cwd, file), `${from}\nimport { inATest } from "./suite.mjs"\n\ntest("a cluster in a test", inATest, 60000)\n`)
    printed(await ran(command, { cwd }), passed)
  }
})

const runners = (root: string): ReadonlyArray<Part> => [
  suite("bun test", "bun.test.mjs", 'import { test } from "bun:test"', [process.execPath, "test", "bun.test.mjs"], /1 pass/),
  suite("deno test", "deno.test.mjs", "const test = (name, run) => Deno.test(name, run)", [denoOf(root), "test", "-A", "deno.test.mjs"], /1 passed/),
  ...nodeLines.map((line) =>
    suite(
      `node:test on Node ${line}`,
      "node.test.mjs",
      'import { test as it } from "node:test"\nconst test = (name, run) => it(name, run)',
      [nodeOf(line), "--test", "node.test.mjs"],
      /pass 1\b/
    )
  ),
  // The newest vitest needs Node 22.
  ...(
    [
      ["20", "lowest"],
      ["22", "newest"],
      ["24", "newest"]
    ] as const
  ).map(([line, project]) =>
    suite(
      `vitest on Node ${line}`,
      "vitest.test.mjs",
      'import { test } from "vitest"',
      [nodeOf(line), "node_modules/vitest/vitest.mjs", "run", "vitest.test.mjs"],
      /1 passed/,
      project
    )
  )
]

const commands = (root: string): ReadonlyArray<Part> => [
  ...runtimesOf(root).map(
    ([name, command]): Part => ({
      group: "command",
      name: `franz --version on ${name}`,
      run: async (projects) => {
        const cwd = await projects.at("newest")
        printed(
          await ran([...command, "node_modules/comanche-franz/dist/lib/franz.js", "--version"], { cwd }),
          new RegExp(`^franz ${readManifest(root).version}$`, "m")
        )
      }
    })
  ),
  {
    group: "command",
    name: "npx comanche-franz",
    run: async (projects) => printed(await ran(["npx", "--no-install", "comanche-franz", "--help"], { cwd: await projects.at("newest") }), /^Commands$/m)
  },
  {
    group: "command",
    name: "a node on Node 20 says what it lacks",
    run: async (projects) => {
      const cwd = await projects.at("newest")
      const { code, text } = await ended([nodeOf("20"), "node_modules/.bin/franz", "up", "--port", "0", "--data", "data"], { cwd })
      if (code !== 74) throw new Mismatch(`ended with ${code}, expected 74:\n${text}`)
      printed(text, /locks its data directory by node:sqlite, which this version lacks\. Use Node\.js 22\.13 or later, Bun or Deno\./)
    }
  }
]

const otherLine = (root: string): ReadonlyArray<Part> =>
  runtimesOf(root).map(([name, command]) => ({
    group: "other effect",
    name: `effect ${otherEffect} on ${name}`,
    run: async (projects) => {
      const { code, text } = await ended([...command, "round-trip.mjs"], { cwd: await projects.at("other") })
      if (code === 0) throw new Mismatch(`it ran:\n${text}`)
      // Runtimes print lines of the source before it.
      const first = text.split("\n").find((line) => line.includes("Error")) ?? ""
      printed(
        first,
        new RegExp(
          `UnsupportedEffectVersionError\\]?: .* works with effect 3 \\(tested: .* and found effect ${otherEffect}\\. .*npm install effect@${testedRange.newest}`
        )
      )
    }
  }))

const compilerOf = (line: string): string => toolFile(`typescript-${line}`, line === "newest" ? "bin/tsc" : "lib/tsc.js")

/** Compiles the typed program of a user; the compiler's errors. */
const compile = async (projects: Projects, line: string, resolution: "nodenext" | "bundler", skipLibCheck: boolean): Promise<string> => {
  const cwd = await projects.at("newest")
  const config = `tsconfig.${line}.${resolution}.${skipLibCheck}.json`
  const options = {
    module: resolution === "bundler" ? "esnext" : resolution,
    moduleResolution: resolution,
    target: "es2022",
    lib: ["es2022", "dom", "esnext.disposable"]
  }
  const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck, declaration: true, noEmit: true, types: [] }
  writeFileSync(join(cwd, config), JSON.stringify({ compilerOptions: { ...options, ...strict }, files: ["typed.ts", "exported.ts"] }))
  const { code, text } = await ended([nodeOf("22"), compilerOf(line), "-p", config], { cwd })
  if (code !== 0 && !text.includes("error TS")) throw new Mismatch(`the compiler ended with ${code}\n${text}`)
  return text
}

const typesPart = (name: string, errors: (projects: Projects) => Promise<string>, isInSuite: boolean): Part => ({
  group: "types",
  name,
  isInSuite,
  run: async (projects) => {
    const text = await errors(projects)
    if (text.includes("error TS")) throw new Mismatch(text)
  }
})

const types = (): ReadonlyArray<Part> =>
  Object.entries(typescriptVersions).flatMap(([line, version]) => [
    ...(["nodenext", "bundler"] as const).map((resolution) =>
      typesPart(`TypeScript ${version}, ${resolution}`, (projects) => compile(projects, line, resolution, true), true)
    ),
    // Effect's own declarations have errors under TypeScript 5.4.
    typesPart(
      `TypeScript ${version}, our declarations without skipLibCheck`,
      async (projects) =>
        (await compile(projects, line, "nodenext", false))
          .split("\n")
          .filter((text) => !text.startsWith("node_modules/effect/"))
          .join("\n"),
      line === "newest"
    )
  ])

const checks = (root: string): ReadonlyArray<Part> => [
  {
    group: "package",
    name: "publint",
    run: async ({ tarball }) => printed(await ran([nodeOf("22"), toolFile("publint", "src/cli.js"), "run", "--strict", tarball], { cwd: root }), /All good!/)
  },
  {
    group: "package",
    name: "arethetypeswrong",
    run: async ({ tarball }) =>
      printed(
        await ran([nodeOf("22"), toolFile("@arethetypeswrong/cli", "dist/index.js"), tarball, "--profile", "esm-only", "--format", "ascii", "--no-emoji"], {
          cwd: root
        }),
        /^bundler: OK/m
      )
  },
  {
    group: "package",
    name: "deno publish --dry-run",
    run: async () =>
      printed(await ran([denoOf(root), "publish", "--dry-run", "--allow-dirty"], { cwd: root, env: { NO_COLOR: "1" } }), /Success Dry run complete/)
  }
]

export const partsOf = (root: string): ReadonlyArray<Part> => [
  ...runs(root),
  zstd(),
  ...runtimesOf(root)
    .filter(([name]) => name !== "Node 22")
    .map(killed),
  ...runners(root),
  ...commands(root),
  ...otherLine(root),
  ...types(),
  ...checks(root)
]
