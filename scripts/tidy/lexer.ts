/** A piece of a TypeScript file that people read: a comment, or the literal part of a string or a template. */
interface Piece {
  readonly kind: "comment" | "text"
  /** The line on which it begins, from 1. */
  readonly line: number
  readonly text: string
}
interface Lexed {
  readonly pieces: ReadonlyArray<Piece>
  /** The file without its comments; strings and templates keep their quotes alone. Lines keep their numbers. */
  readonly code: string
}

/** Behind these a slash begins a regular expression, and behind anything else it divides. */
const beforePattern = /(?:[(,=:[!&|?{};+*%<>~^-]|\b(?:return|typeof|case|in|of|new|delete|void|throw|yield|await|else))\s*$/

/** The end of the regular expression that begins at `from`, behind its flags. */
const patternEnd = (text: string, from: number): number => {
  let isClass = false
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at]
    if (char === "\\") at++
    else if (char === "\n") return from + 1
    else if (char === "[") isClass = true
    else if (char === "]") isClass = false
    else if (char === "/" && !isClass) return at + 1
  }
  return from + 1
}

const quoteEnd = (text: string, from: number): number => {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === text[from]) return at
  }
  return text.length
}

/** Walks over a file once. */
class Lexer {
  readonly pieces: Array<Piece> = []
  private code = ""
  private at = 0
  private line = 1
  /** For each template whose expression is being read: the braces that are open in it. */
  private readonly templates: Array<number> = []

  constructor(private readonly text: string) {}

  /** Goes on to `end`; the code has `kept` in place of it, and its line ends. */
  private pass(end: number, kept: string): void {
    const lines = this.text.slice(this.at, end).split("\n").length - 1
    this.code += kept + "\n".repeat(lines)
    this.line += lines
    this.at = end
  }
  private piece(kind: Piece["kind"], from: number, to: number, line = this.line): void {
    if (to > from) this.pieces.push({ kind, line, text: this.text.slice(from, to) })
  }

  /** The literal part of a template from `this.at` on, up to the next expression or its end. */
  private template(): void {
    const { text } = this
    let end = this.at
    while (end < text.length && text[end] !== "`" && !(text[end] === "$" && text[end + 1] === "{")) end += text[end] === "\\" ? 2 : 1
    this.piece("text", this.at, end)
    this.pass(end, "")
    if (text[end] === "`") return this.pass(end + 1, "`")
    this.templates.push(0)
    this.pass(end + 2, "${")
  }

  private comment(end: number): void {
    this.piece("comment", this.at, end)
    this.pass(end, " ")
  }

  private brace(char: string): void {
    const depth = this.templates.at(-1)
    if (depth !== undefined && char === "}" && depth === 0) {
      this.templates.pop()
      this.pass(this.at + 1, "}")
      return this.template()
    }
    if (depth !== undefined) this.templates[this.templates.length - 1] = depth + (char === "{" ? 1 : -1)
    this.pass(this.at + 1, char)
  }

  run(): Lexed {
    const { text } = this
    // What is neither quote, slash nor brace is passed over in one go.
    const plain = /[^"'`/{}]+/y
    while (this.at < text.length) {
      plain.lastIndex = this.at
      const passed = plain.exec(text)?.[0]
      if (passed !== undefined) {
        this.code += passed
        for (const char of passed) if (char === "\n") this.line++
        this.at = plain.lastIndex
        continue
      }
      this.step(text[this.at] as string)
    }
    return { pieces: this.pieces, code: this.code }
  }

  private step(char: string): void {
    const { at, text } = this
    if (char === "/" && text[at + 1] === "/") {
      const end = text.indexOf("\n", at)
      return this.comment(end < 0 ? text.length : end)
    }
    if (char === "/" && text[at + 1] === "*") {
      const end = text.indexOf("*/", at + 2)
      return this.comment(end < 0 ? text.length : end + 2)
    }
    if (char === '"' || char === "'") {
      const end = quoteEnd(text, at)
      this.piece("text", at + 1, end)
      return this.pass(end + 1, char + char)
    }
    if (char === "`") {
      this.pass(at + 1, "`")
      return this.template()
    }
    if (char === "/") return this.pass(beforePattern.test(this.code.slice(-40)) || this.code === "" ? patternEnd(text, at) : at + 1, "/")
    this.brace(char)
  }
}

/** Comments, texts and code of a TypeScript file, told apart without a parser: of the grammar it knows quotes, templates, comments and regular expressions. */
export const lex = (text: string): Lexed => new Lexer(text).run()
