/**
 * `./franz package`: the client library as `npm pack` puts it into the package: JavaScript modules for Node, Deno and Bun and their declarations, in dist/lib. Bun reads the TypeScript
 * sources, which the package holds too. Run by `npm pack` and `npm publish` themselves (`prepack`).
 */
import { spawnSync } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Glob } from "bun"

const root = join(import.meta.dir, "..")
const out = join(root, "dist/lib")
const fail = (what: string): never => {
  console.error(`franz package: ${what}`)
  process.exit(1)
}

rmSync(out, { recursive: true, force: true })
const built = await Bun.build({
  entrypoints: ["library", "testing"].map((name) => join(root, "src/programs", `${name}.ts`)),
  outdir: out,
  target: "node",
  format: "esm",
  splitting: true,
  sourcemap: "linked",
  // One copy of Effect for the user's program and the library; native addons come with npm.
  packages: "external",
  external: ["bun:*"],
  throw: false
})
if (!built.success) fail(built.logs.map(String).join("\n"))

const declared = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.package.json"], { cwd: root, encoding: "utf8" })
if (declared.status !== 0) fail(`the declarations could not be made:\n${declared.stdout}`)
// The compiler leaves the sources' extensions in declarations; a consumer's compiler looks for the .d.ts beside a .js.
for await (const file of new Glob("types/**/*.d.ts").scan({ cwd: out, absolute: true })) {
  const text = readFileSync(file, "utf8")
  writeFileSync(file, text.replace(/((?:from|import\()\s*")(\.\.?\/[^"]+)\.ts"/g, '$1$2.js"'))
}
console.log(`dist/lib: ${built.outputs.filter(({ path }) => path.endsWith(".js")).length} modules with their declarations`)
