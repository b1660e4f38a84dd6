/** The JavaScript modules of the package: one for each entry, with what they share in chunks. */
import { join } from "node:path"
import { effectLine, writeEffectLine } from "./effect-line.ts"

/** What stays an import: Effect comes from the user's program, the addons and snappyjs from npm. */
const external: ReadonlyArray<string> = ["effect", "effect/*", "bun:*", "@node-rs/crc32", "lz4-napi", "snappy", "snappyjs"]

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
  await writeEffectLine(root, out, version)
  return built.outputs.filter(({ path }) => path.endsWith(".js")).length
}
