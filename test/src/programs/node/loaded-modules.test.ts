import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../../../scripts/build/bundle.ts"

const root = join(import.meta.dir, "../../../..")

interface Output {
  readonly entryPoint?: string
  readonly inputs: Readonly<Record<string, unknown>>
  readonly imports: ReadonlyArray<{ readonly path: string; readonly kind: string }>
}

/** The source files in the bundle's modules that are loaded when `entries` are imported. */
const loadedBy = async (entries: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const outdir = mkdtempSync(join(tmpdir(), "franz-bundle-"))
  try {
    const { metafile } = await Bun.build({ ...bundle, entrypoints: [join(root, "src/programs/franz.ts")], root, outdir, metafile: true })
    const outputs = new Map(Object.entries((metafile as unknown as { readonly outputs: Readonly<Record<string, Output>> }).outputs))
    const byFile = new Map([...outputs].map(([path, output]) => [path.split("/").at(-1), output]))
    const loaded = new Set<Output>()
    const load = (output: Output | undefined): void => {
      if (output === undefined || loaded.has(output)) return
      loaded.add(output)
      for (const { kind, path } of output.imports) if (kind === "import-statement") load(byFile.get(path.split("/").at(-1)))
    }
    for (const output of outputs.values()) if (entries.some((entry) => output.entryPoint?.endsWith(entry))) load(output)
    expect(loaded.size).toBeGreaterThanOrEqual(entries.length)
    return [...loaded].flatMap(({ inputs }) => Object.keys(inputs))
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

test("a node loads no module of the client, of the tools for logs, and of the listener for Prometheus", async () => {
  const loaded = await loadedBy(["src/programs/franz.ts", "src/programs/node/nodes.ts", "adapters/transport/bun.ts"])
  expect(loaded.some((path) => path.endsWith("src/broker/broker.ts"))).toBe(true)
  const forbidden =
    /src\/client\/|src\/cli\/(client|log|prompt)\/|src\/programs\/client\/|adapters\/log\/inspect\/|adapters\/transport\/node|adapters\/metrics\/http|@effect\//
  expect(loaded.filter((path) => forbidden.test(path))).toEqual([])
})
