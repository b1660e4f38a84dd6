/**
 * `./franz site [--out DIR]`: the documentation as a site, in dist/site unless told otherwise: a page for each Markdown file of docs, and a reference from the declarations of
 * the package. The pages need no server and load nothing from elsewhere.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { buildSite } from "./site/build.ts"

const root = join(import.meta.dir, "..")
const fail = (what: string, code = 1): never => {
  console.error(`franz site: ${what}`)
  process.exit(code)
}
const [option, directory, ...more] = process.argv.slice(2)
if (option !== undefined && (option !== "--out" || directory === undefined || more.length > 0))
  fail(`'${process.argv.slice(2).join(" ")}' is not known.\nUsage: ./franz site [--out DIR]`, 2)
const out = directory === undefined ? join(root, "dist/site") : resolve(directory)

const site = await buildSite(root)
if (typeof site === "string") throw fail(`the declarations could not be made:\n${site}`)
if (site.broken.length > 0) fail(`links to what does not exist:\n${site.broken.join("\n")}`)
if (directory === undefined) rmSync(out, { recursive: true, force: true })
for (const [path, text] of site.files) {
  mkdirSync(dirname(join(out, path)), { recursive: true })
  writeFileSync(join(out, path), text)
}
console.log(`${join(out, "index.html")}: ${site.files.size} pages`)
