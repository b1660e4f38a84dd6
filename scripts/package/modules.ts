/** The JavaScript modules of the package: one for each entry, with what they share in chunks. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { effectLine, writeEffectLine } from "./effect-line.ts"

/** What stays an import: Effect comes from the user's program, the addons and snappyjs from npm. */
const external: ReadonlyArray<string> = ["effect", "effect/*", "bun:*", "@node-rs/crc32", "lz4-napi", "snappy", "snappyjs"]

/** npm links the command as it is. A machine that has Node.js alone must be able to run it; in a checkout Bun runs the source. */
const runByNode = (file: string): void => {
  const text = readFileSync(file, "utf8")
  if (text.startsWith("#!")) writeFileSync(file, text.replace(/^#!.*/, "#!/usr/bin/env node"))
}

/** Writes the modules of the sources to a directory. Returns their number, or what the bundler refused. */
export const buildModules = async (root: string, out: string, version: string, entries: ReadonlyArray<string>): Promise<number | string> => {
  const built = await Bun.build({
    entrypoints: entries.map((entry) => join(root, entry)),
    outdir: out,
    target: "node",
    format: "esm",
    splitting: true,
    sourcemap: "linked",
    external: [...external],
    plugins: [effectLine],
    throw: false
  })
  if (!built.success) return built.logs.map(String).join("\n")
  for (const { kind, path } of built.outputs) if (kind === "entry-point") runByNode(path)
  await writeEffectLine(root, out, version)
  return built.outputs.filter(({ path }) => path.endsWith(".js")).length
}
