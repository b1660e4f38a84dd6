import { Either } from "effect"

/** A name and its value as a file has them, with the number of the line that the entry begins in, from 1. */
interface Property {
  readonly name: string
  readonly value: string
  readonly line: number
}

/** An escape that is none. */
interface MalformedProperty {
  readonly line: number
  /** What is wrong, with the escape as it was written. */
  readonly reason: string
}

const isBlank = (char: string | undefined): boolean => char === " " || char === "\t" || char === "\f"

interface LogicalLine {
  readonly text: string
  readonly line: number
}

/**
 * Cuts a text into natural lines, at a line feed, a carriage return, or both. A last line of a lone backslash is an
 * entry without a name, whether a line feed follows or not.
 */
const naturalLines = (text: string): ReadonlyArray<string> => text.replace(/[\r\n]$/, "").split(/\r\n|\r|\n/)

/** Returns whether a line ends in an odd number of backslashes, so that the next line continues it. */
const continues = (line: string): boolean => (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1

const firstInk = (line: string): number => {
  let at = 0
  while (isBlank(line[at])) at++
  return at
}

/**
 * Yields the logical lines: natural lines that continue each other are one. Without comments, blank lines, and leading
 * white space.
 */
function* logicalLines(text: string): Generator<LogicalLine> {
  let pending = ""
  let begun = 0
  let goesOn = false
  const lines = naturalLines(text)
  for (const [index, natural] of lines.entries()) {
    const part = natural.slice(firstInk(natural))
    // A comment has one line, whatever it ends in. A line after one of a lone backslash may begin a comment, too.
    if (pending === "" && (part === "" || part[0] === "#" || part[0] === "!")) {
      goesOn = false
      continue
    }
    if (!goesOn) begun = index + 1
    goesOn = continues(part)
    pending += goesOn ? part.slice(0, -1) : part
    if (goesOn && index + 1 < lines.length) continue
    yield { text: pending, line: begun }
    pending = ""
    goesOn = false
  }
}

const escapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" }

/**
 * Returns a name or a value without its escapes: `\t`, `\n`, `\r`, `\f`, four hexadecimal digits after `\u`; any other
 * escaped character is itself.
 */
const unescaped = (text: string): Either.Either<string, string> => {
  if (!text.includes("\\")) return Either.right(text)
  let out = ""
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string
    if (char !== "\\") {
      out += char
      continue
    }
    const escape = text[++at] ?? ""
    if (escape !== "u") {
      out += escapes[escape] ?? escape
      continue
    }
    const digits = text.slice(at + 1, at + 5)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) return Either.left(`\\u${digits}: expected four hexadecimal digits after \\u; a backslash itself is written \\\\`)
    out += String.fromCharCode(Number.parseInt(digits, 16))
    at += 4
  }
  return Either.right(out)
}

/** Where a name ends: at the first `=`, `:` or white space that no backslash precedes. */
const nameEnd = (text: string): number => {
  let at = 0
  while (at < text.length && !isBlank(text[at]) && text[at] !== "=" && text[at] !== ":") at += text[at] === "\\" ? 2 : 1
  return Math.min(at, text.length)
}

const propertyOf = ({ line, text }: LogicalLine): Either.Either<Property, MalformedProperty> => {
  const end = nameEnd(text)
  let at = end
  while (isBlank(text[at])) at++
  if (text[at] === "=" || text[at] === ":") at++
  while (isBlank(text[at])) at++
  return Either.all({ name: unescaped(text.slice(0, end)), value: unescaped(text.slice(at)) }).pipe(
    Either.mapBoth({ onLeft: (reason) => ({ line, reason }), onRight: ({ name, value }) => ({ name, value, line }) })
  )
}

/**
 * Reads a properties file by the rules of `java.util.Properties.load(Reader)`: an entry a line, comments from `#` or
 * `!` to the end of their line, a backslash at the end of a line that continues on the next, escapes in names and
 * values. White space at the end of a value belongs to it. Entries are in the order of the file; of a repeated name the
 * last entry is valid.
 */
export const readProperties = (text: string): ReadonlyArray<Either.Either<Property, MalformedProperty>> => Array.from(logicalLines(text), propertyOf)
