/** The public surface of the package, read from the declarations that the compiler wrote. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** A declaration at the top of a file, or a member of an interface. */
interface Declaration {
  readonly name: string
  /** Its docstring as Markdown; "" without one. */
  readonly doc: string
  readonly text: string
}
/** What the package exports under a name. */
export interface PublicName extends Declaration {
  /** `Topic.make` for what a namespace holds. */
  readonly publicName: string
  readonly file: string
}

/** The text of a comment, without its stars. */
const markdownOf = (comment: string): string =>
  comment
    .replace(/^\s*\/\*\*/, "")
    .replace(/\*\/\s*$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, "").trimEnd())
    .join("\n")
    .trim()

/** Splits lines of one indentation into docstrings and what they describe. The compiler indents all that continues a declaration. */
const split = (lines: ReadonlyArray<string>, indent: string): ReadonlyArray<{ readonly doc: string; readonly text: string }> => {
  const items: Array<{ doc: string; text: string }> = []
  let comment: Array<string> = []
  let isComment = false
  for (const line of lines) {
    const begins = line.startsWith(indent) && /^[\w["']/.test(line.slice(indent.length))
    if (line.startsWith(`${indent}/**`)) {
      comment = []
      isComment = true
    }
    if (isComment) {
      comment.push(line)
      isComment = !line.endsWith("*/")
    } else if (begins) {
      items.push({ doc: comment.length === 0 ? "" : markdownOf(comment.join("\n")), text: line.slice(indent.length) })
      comment = []
    } else {
      const last = items.at(-1)
      if (last !== undefined) last.text += `\n${line.startsWith(indent) ? line.slice(indent.length) : line}`
    }
  }
  return items
}

const declared = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class|const|function) (\w+)/

const declarationsOf = (text: string): ReadonlyArray<Declaration> =>
  split(text.split("\n"), "").flatMap((item) => {
    const name = item.text.match(declared)?.[1]
    return name === undefined ? [] : [{ name, ...item }]
  })

/** The head of an interface, up to its brace, and its members. Undefined for other declarations. */
export const membersOf = (text: string): { readonly head: string; readonly members: ReadonlyArray<Declaration> } | undefined => {
  if (!/^(?:export )?(?:declare )?interface /.test(text)) return undefined
  const lines = text.trimEnd().split("\n")
  const opens = lines.findIndex((line) => line.endsWith("{"))
  if (opens === -1) return undefined
  const members = split(lines.slice(opens + 1, -1), "    ").map((item) => ({ name: item.text.match(/^(?:readonly )?(\w+)/)?.[1] ?? item.text, ...item }))
  return { head: lines.slice(0, opens + 1).join("\n"), members }
}

const reexport = /^export (?:type )?(?:\{([^}]*)\}|\*(?: as (\w+))?) from "([^"]+)"/gm

/** Reads what a declaration file exports, also from other files. */
export const publicNames = (file: string, namespace = ""): ReadonlyArray<PublicName> => {
  const text = readFileSync(file, "utf8")
  const named = (name: string) => `${namespace}${name}`
  const own = declarationsOf(text)
    .filter((declaration) => declaration.text.startsWith("export "))
    .map((declaration) => ({ ...declaration, file, publicName: named(declaration.name) }))
  const others = [...text.matchAll(reexport)].flatMap(([, list, as, path = ""]): ReadonlyArray<PublicName> => {
    const target = join(dirname(file), path.replace(/\.js$/, ".d.ts"))
    if (list === undefined) return publicNames(target, as === undefined ? namespace : named(`${as}.`))
    const there = publicNames(target)
    return list.split(",").flatMap((entry) => {
      const [name = "", alias = name] = entry
        .trim()
        .replace(/^type /, "")
        .split(" as ")
      return there.filter((found) => found.name === name && found.publicName === name).map((found) => ({ ...found, publicName: named(alias) }))
    })
  })
  return [...own, ...others]
}
