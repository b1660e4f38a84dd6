import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../../../scripts/build/bundle.ts"

const root = join(import.meta.dir, "../../../..")

interface Import {
  readonly path: string
  readonly kind: string
}
interface Output {
  readonly entryPoint?: string
  readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>
  readonly imports: ReadonlyArray<Import>
}
interface Metafile {
  readonly outputs: Readonly<Record<string, Output>>
  readonly inputs: Readonly<Record<string, { readonly imports: ReadonlyArray<Import> }>>
}

/** The source files in the bundle's modules that are loaded when `entries` of a program are imported, and the runtime's modules that they import. */
const loadedBy = async (
  entries: ReadonlyArray<string>,
  program = "franz"
): Promise<{ readonly files: ReadonlyArray<string>; readonly builtins: ReadonlySet<string>; readonly bytes: number }> => {
  const outdir = mkdtempSync(join(tmpdir(), "franz-bundle-"))
  try {
    const built = await Bun.build({ ...bundle, entrypoints: [join(root, `src/programs/${program}.ts`)], root, outdir, metafile: true })
    const { inputs, outputs } = built.metafile as unknown as Metafile
    const byFile = new Map(Object.entries(outputs).map(([path, output]) => [path.split("/").at(-1), output]))
    const loaded = new Set<Output>()
    const load = (output: Output | undefined): void => {
      if (output === undefined || loaded.has(output)) return
      loaded.add(output)
      for (const { kind, path } of output.imports) if (kind === "import-statement") load(byFile.get(path.split("/").at(-1)))
    }
    for (const output of byFile.values()) if (entries.some((entry) => output.entryPoint?.endsWith(entry))) load(output)
    expect(loaded.size).toBeGreaterThanOrEqual(entries.length)
    const files = [...loaded].flatMap((output) => Object.keys(output.inputs))
    const imports = files.flatMap((file) => inputs[file]?.imports ?? [])
    const bytes = [...loaded].flatMap((output) => Object.values(output.inputs)).reduce((sum, { bytesInOutput }) => sum + bytesInOutput, 0)
    return { files, bytes, builtins: new Set(imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => path.replace(/^node:/, ""))) }
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

test("a node loads no module of the client, of the tools for logs, and of the listener for Prometheus", async () => {
  const { builtins, files } = await loadedBy([
    "src/programs/franz.ts",
    "src/programs/commands.ts",
    "src/programs/main.ts",
    "src/programs/node/nodes.ts",
    "adapters/transport/bun.ts"
  ])
  expect(files.some((path) => path.endsWith("src/broker/broker.ts"))).toBe(true)
  const forbidden =
    /src\/client\/|src\/cli\/(client|log|prompt)\/|src\/programs\/client\/|adapters\/log\/inspect\/|adapters\/transport\/node|adapters\/metrics\/http|@effect\//
  expect(files.filter((path) => forbidden.test(path))).toEqual([])
  // Each of these brings streams or sockets of the runtime: 0.4 to 1.5 MiB.
  expect(builtins).toContain("fs")
  for (const heavy of ["child_process", "crypto", "http", "net", "readline", "stream", "tls", "worker_threads", "zlib"]) expect(builtins).not.toContain(heavy)
})

/**
 * What the start of a node evaluates, as a budget: these rooms and packages, and so much minified code. A room that is
 * not here belongs behind an `import()` where it is used (docs/decisions/0105).
 */
const rooms = [
  ...["domain/cluster", "domain/group", "domain/kernel", "domain/log", "domain/partition"],
  ...["src/broker", "src/cli/node", "src/cli/shell", "src/groups", "src/leader", "src/ports", "src/programs", "src/programs/journal", "src/programs/node"],
  ...["src/protocol", "src/serve", "src/stream", "src/wire"],
  ...["adapters/checksum", "adapters/compression", "adapters/cryptography", "adapters/journal", "adapters/log", "adapters/metrics", "adapters/transport"],
  ...["effect", "@antoniomuso/lz4-napi-linux-x64-gnu", "@napi-rs/snappy-linux-x64-gnu", "@node-rs/crc32", "@node-rs/crc32-linux-x64-gnu"],
  ...["lz4-napi", "snappy", "snappyjs", "package.json"]
]
const bytesMax = 1_175_000
const roomOf = (path: string): string => {
  const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? []
  if (name !== undefined) return name
  const parts = path.split("/").slice(0, -1)
  return parts.length === 0 ? path : parts.slice(0, /^src\/(cli|programs)\//.test(path) ? 3 : 2).join("/")
}
const started = ["src/programs/main.ts", "src/programs/node/nodes.ts", "adapters/transport/bun.ts"]

test.each([
  ["franz", ["src/programs/commands.ts"]],
  ["broker", ["src/cli/node/command.ts", "src/programs/node/roles.ts"]],
  ["brokerlead", ["src/cli/node/command.ts", "src/programs/node/roles.ts"]]
])("the start of %s evaluates the rooms of a node and no others, within the budget", async (program, own) => {
  const { bytes, files } = await loadedBy([`src/programs/${program}.ts`, ...started, ...own], program)
  const loaded = new Set(files.map(roomOf))
  expect([...loaded].filter((room) => !rooms.includes(room))).toEqual([])
  expect(loaded.has("src/broker") && loaded.has("effect")).toBe(true)
  expect(files.filter((path) => /etcd|leader\/standby|node\/candidate|\/inspect\/|programs\/fault/.test(path) && !path.includes("node_modules"))).toEqual([])
  expect(bytes).toBeLessThan(bytesMax)
})

// Such a program executes itself again with settings of the engine. Whatever it loaded before would be loaded twice.
test.each(["franz", "broker", "brokerlead"])("%s loads nothing but the engine's settings before it executes itself again", async (program) => {
  const { files } = await loadedBy([`src/programs/${program}.ts`], program)
  expect(files.toSorted()).toEqual([`src/programs/${program}.ts`, "src/programs/tuned.ts"])
})

test("no module is imported for its effect alone: package.json lets a bundler drop it", async () => {
  const sources = (await Array.fromAsync(new Bun.Glob("{src,adapters,domain}/**/*.ts").scan({ cwd: root }))).toSorted()
  expect(sources).toContain("src/programs/tuned.ts")
  const alone = /^\s*import\s*["']/m
  const texts = await Promise.all(sources.map((path) => Bun.file(join(root, path)).text()))
  expect(sources.filter((_, at) => alone.test(texts[at] ?? ""))).toEqual([])
})
