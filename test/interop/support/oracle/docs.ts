import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../process.ts"
import { accepted } from "./accepted.ts"
import { acceptedOfThree } from "./three/accepted.ts"

const file = join(root, "docs/skipped.md")
const [begin, end] = ["<!-- differences: written by ./franz compare --docs -->", "<!-- /differences -->"]

/** A pattern in readable form: the group of cases, the case, the field. */
const readable = ({ source }: RegExp): string =>
  source
    .replaceAll("\\/", "/")
    .replaceAll("\\.", ".")
    .replaceAll(/^\^|\$$/g, "")
    .replaceAll("|", "\\|")

const rows = (): string =>
  [
    "| in `./franz compare` | why |",
    "| --- | --- |",
    ...[...accepted, ...acceptedOfThree].map(({ at, why }) => `| `.concat("`", readable(at), "`", ` | ${why} |`))
  ].join("\n")

/** The stored docs/skipped.md, and the one with the accepted differences. */
export const docs = (): { readonly before: string; readonly after: string } => {
  const before = readFileSync(file, "utf8")
  const [from, to] = [before.indexOf(begin), before.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file} has no place for the differences: ${begin} … ${end}`)
  return { before, after: `${before.slice(0, from + begin.length)}\n${rows()}\n${before.slice(to)}` }
}

export const writeDocs = (): void => writeFileSync(file, docs().after)
