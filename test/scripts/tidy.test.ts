import { describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { circlesOf, fileCircles } from "../../scripts/tidy/circles.ts"
import { unusedExports } from "../../scripts/tidy/exports.ts"
import { dateNow, importedTime } from "../../scripts/tidy/globals.ts"
import { importLaw } from "../../scripts/tidy/import-law.ts"
import { lex } from "../../scripts/tidy/lexer.ts"
import { deadFiles, leftovers, shortDeadlines } from "../../scripts/tidy/rules.ts"
import { compareSizes } from "../../scripts/tidy/size.ts"
import { compareWords, loweredWords, wordsInDocument, wordsInSource, wordsInSubjects } from "../../scripts/tidy/words.ts"

const file = (path: string, text: string) => ({ path, text })

test("a test with less time than the test command gives is found, in both forms, and no other number", () => {
  const found = shortDeadlines([
    file("test/x.test.ts", 'test("a", () => {\n}, 30_000)\ntest(\n  "b",\n  run,\n  60_000\n)\ntest("c", () => {\n}, 300_000)\nwait(\n  1000\n)')
  ])
  expect(found.map(({ line }) => line)).toEqual([2, 6])
})

describe("the import law", () => {
  const forbidden: ReadonlyArray<readonly [why: string, path: string, text: string]> = [
    ["a domain file takes the platform", "domain/log/x.ts", 'import { readFileSync } from "node:fs"'],
    ["a domain file takes bun", "domain/log/x.ts", 'import { file } from "bun"'],
    ["a domain file takes a source file", "domain/log/x.ts", 'import { y } from "../../src/wire/y.ts"'],
    ["a domain file takes only a type from a port", "domain/log/x.ts", 'import type { Y } from "../../src/ports/y.ts"'],
    ["a domain file takes Effect's runtime", "domain/log/x.ts", 'import { Effect, Either } from "effect"'],
    ["a domain file takes a runtime module by its path", "domain/log/x.ts", 'import * as Clock from "effect/Clock"'],
    ["a domain file takes a Layer", "domain/log/x.ts", 'import { Either, Layer } from "effect"'],
    ["a domain file takes the type of a runtime module", "domain/log/x.ts", 'import type { FiberRef } from "effect"'],
    ["a domain file takes a module that is no data module, under another name", "domain/log/x.ts", 'import { DateTime as Time } from "effect"'],
    ["a domain file takes all of Effect", "domain/log/x.ts", 'import * as E from "effect"'],
    ["the protocol takes a role", "src/protocol/codec/x.ts", 'export { y } from "../../broker/y.ts"'],
    ["a port takes an adapter", "src/ports/x.ts", 'import { y } from "../../adapters/log/y.ts"'],
    ["wire takes a role", "src/wire/x.ts", 'import { y } from "../leader/y.ts"'],
    ["a stream takes wire", "src/stream/x.ts", 'import { y } from "../wire/y.ts"'],
    ["a stream takes only a type from the protocol", "src/stream/x.ts", 'import type { Y } from "../protocol/y.ts"'],
    ["the groups take the leader", "src/groups/handler/x.ts", 'import { y } from "../../leader/y.ts"'],
    ["serving takes the groups", "src/serve/x.ts", 'import { y } from "../groups/y.ts"'],
    ["a broker takes the leader", "src/broker/x.ts", 'import {\n  a,\n  b\n} from "../leader/y.ts"'],
    ["a client takes an adapter, dynamically", "src/client/x.ts", 'const y = await import("../../adapters/log/y.ts")'],
    ["the command line takes wire", "src/cli/x.ts", 'import { y } from "../wire/y.ts"'],
    ["an adapter takes another", "adapters/journal/x.ts", 'import { y } from "../log/y.ts"'],
    ["an adapter takes the protocol", "adapters/log/x.ts", 'import { y } from "../../src/protocol/y.ts"'],
    ["a program is imported", "adapters/log/x.ts", 'import "../../src/programs/franz.ts"'],
    ["a stream knows the wire", "src/stream/x.ts", 'import { y } from "../wire/y.ts"'],
    ["groups know the leader", "src/groups/x.ts", 'import { y } from "../leader/y.ts"'],
    ["a file in no room", "src/x.ts", ""]
  ]
  for (const [why, path, text] of forbidden) test(`refuses: ${why}`, () => expect(importLaw([file(path, text)])).toHaveLength(1))

  test("allows what points inward, and one's own room", () => {
    const allowed = [
      file(
        "domain/log/x.ts",
        'import { Either, HashMap, pipe, type Schema as S } from "effect"\nimport * as O from "effect/Option"\nimport { y } from "../kernel/y.ts"'
      ),
      file("src/wire/x.ts", 'import { Effect } from "effect"\nimport { y } from "../protocol/y.ts"\nimport { z } from "./z.ts"'),
      file("src/broker/handler/x.ts", 'import { y } from "../../serve/y.ts"'),
      file("src/stream/x.ts", 'import { y } from "../ports/y.ts"\nimport { z } from "../../domain/kernel/z.ts"'),
      file("src/groups/handler/x.ts", 'import { y } from "../../stream/y.ts"\nimport { z } from "../../serve/z.ts"'),
      file("src/leader/handler/x.ts", 'import { y } from "../../groups/y.ts"'),
      file("adapters/log/x.ts", 'import { open } from "node:fs"\nimport type { P } from "../../src/ports/p.ts"'),
      file("src/programs/x.ts", 'import { y } from "../broker/y.ts"\nimport { z } from "../../adapters/log/z.ts"')
    ]
    expect(importLaw(allowed)).toEqual([])
  })
})

describe("the clock read by new Date()", () => {
  const text = "export const now = () => new Date()\n// new Date() is not for us\nconst text = 'new Date()'\n"
  test("is found outside adapters/clock, but not in comments, texts, tests or there", () => {
    expect(dateNow([file("src/wire/x.ts", text)]).map(({ line }) => line)).toEqual([1])
    expect(dateNow([file("adapters/clock/x.ts", text), file("test/x.ts", text)])).toEqual([])
  })
})

describe("time and chance from modules of the platform", () => {
  const found = (path: string, text: string) => importedTime([file(path, text)]).map(({ line }) => line)
  const timers = 'import { setImmediate } from "node:timers"\nimport { setTimeout as wait } from "node:timers/promises"\nimport * as timers from "timers"\n'
  const chance = 'import { createHash } from "node:crypto"\nimport { randomBytes } from "node:crypto"\nimport * as all from "node:crypto"\n'
  test("are found under any name, and only what tells the time, waits or draws", () => {
    expect(found("adapters/log/x.ts", timers)).toEqual([2, 3])
    expect(found("src/programs/x.ts", chance)).toEqual([2, 3])
    expect(found("adapters/transport/x.ts", 'import { performance } from "node:perf_hooks"\n')).toEqual([1])
  })
  test("are allowed where the ports are implemented, in scripts and in tests", () => {
    expect([...found("adapters/clock/x.ts", timers), ...found("adapters/cryptography/x.ts", chance)]).toEqual([])
    expect([...found("test/x.ts", timers), ...found("scripts/x.ts", chance)]).toEqual([])
  })
})

describe("leftovers", () => {
  test("unfinished work is named with its line", () => {
    expect(leftovers([file("src/wire/x.ts", `a\n// ${"TO"}${"DO"} later\nconst b = c ${"as"} any`)]).map(({ line }) => line)).toEqual([2, 3])
  })
})

describe("dead files", () => {
  test("a file that no program, script or test reaches is found; one reached through another is not", () => {
    const sources = [
      file("src/programs/franz.ts", 'import { a } from "../cli/a.ts"'),
      file("src/cli/a.ts", 'export * from "./b.ts"'),
      file("src/cli/b.ts", ""),
      file("src/cli/c.ts", 'import "./b.ts"')
    ]
    expect(deadFiles(sources).map(({ path }) => path)).toEqual(["src/cli/c.ts"])
  })
})

describe("the ratchet", () => {
  const long = { key: "src/a.ts", path: "src/a.ts", line: 1, lines: 450 }
  test("lets a known size pass, refuses growth and new ones, and asks to be lowered", () => {
    expect(compareSizes([long], { "src/a.ts": 450 })).toEqual([])
    expect(compareSizes([long], { "src/a.ts": 440 })).toHaveLength(1)
    expect(compareSizes([long], {})).toHaveLength(1)
    expect(compareSizes([], { "src/a.ts": 450 })[0]?.message).toContain("--lower")
  })
})

describe("the lexer", () => {
  const texts = (code: string) => lex(code).pieces.map(({ kind, line, text }) => [kind, line, text])
  test("tells comments, strings, templates and their expressions apart, with their lines", () =>
    expect(texts('// one\nconst a = "two" /* three\nfour */\nconst b = `five ${`six ${"}"} seven` + { c: 8 }.c} nine`')).toEqual([
      ["comment", 1, "// one"],
      ["text", 2, "two"],
      ["comment", 2, "/* three\nfour */"],
      ["text", 4, "five "],
      ["text", 4, "six "],
      ["text", 4, "}"],
      ["text", 4, " seven"],
      ["text", 4, " nine"]
    ]))
  test("takes no regular expression for a string or a comment, and no division for a regular expression", () => {
    expect(texts("const a = b.match(/[\"'`/]|\\/\\*/) // c")).toEqual([["comment", 1, "// c"]])
    expect(texts('const a = (b + c) / 2 + d / 3 + "e"')).toEqual([["text", 1, "e"]])
  })
  test("leaves code with its lines", () => expect(lex('/* a\nb */ const c = "d" // e\nf').code).toBe(' \n const c = ""  \nf'))
})

describe("exports", () => {
  const unused = (...sources: ReadonlyArray<ReturnType<typeof file>>) => {
    const found = unusedExports(sources)
    return { unused: found.unused.map(({ name, path, line }) => `${path}:${line} ${name}`), forTests: found.forTests.map(({ name }) => name) }
  }
  test("that no other file uses are found, of every kind", () => {
    const text =
      "export const a = 1\nexport interface B {}\nexport function* c() {}\nexport abstract class D {}\nexport type E = 1\nconst f = 2\nexport { f as g }\n"
    expect(unused(file("src/wire/x.ts", text)).unused).toEqual(
      [1, 2, 3, 4, 5, 7].map((line, at) => `src/wire/x.ts:${line} ${["a", "B", "c", "D", "E", "g"][at]}`)
    )
  })
  test("are used by imports under any name, of a namespace, by import(), and through files that export them again", () => {
    const found = unused(
      file("src/wire/x.ts", "export const a = 1\nexport const b = 1\nexport const c = 1\nexport const d = 1\nexport const e = 1\nexport const f = 1\n"),
      file("src/wire/again.ts", 'export { d as dd } from "./x.ts"\nexport * from "./y.ts"\n'),
      file("src/wire/y.ts", "export const g = 1\nexport const h = 1\n"),
      file("src/wire/z.ts", "export const i = 1\n"),
      file(
        "src/wire/user.ts",
        'import { a as aa, type b } from "./x.ts"\nimport { dd, g } from "./again.ts"\nimport * as z from "./z.ts"\nconst { c } = await import("./x.ts")\n'
      ),
      file("src/programs/library.ts", 'export { e } from "../wire/x.ts"\n')
    )
    expect(found.unused).toEqual(["src/wire/x.ts:6 f", "src/wire/y.ts:2 h"])
  })
  test("of which only tests make use are counted apart", () =>
    expect(unused(file("src/wire/x.ts", "export const a = 1\n"), file("test/x.test.ts", 'import { a } from "../src/wire/x.ts"\n'))).toEqual({
      unused: [],
      forTests: ["a"]
    }))
})

describe("circles of imports", () => {
  test("are found, one for each knot", () => {
    const graph = new Map(Object.entries({ a: ["b"], b: ["c"], c: ["a", "d"], d: ["e"], e: ["d"], f: ["a", "f"] }).map(([from, to]) => [from, new Set(to)]))
    expect(circlesOf(graph).toSorted()).toEqual([
      ["a", "b", "c"],
      ["d", "e"]
    ])
  })
  test("count types, too", () =>
    expect(fileCircles([file("src/wire/a.ts", 'import type { B } from "./b.ts"'), file("src/wire/b.ts", 'import { a } from "./a.ts"')])).toEqual([
      ["src/wire/a.ts", "src/wire/b.ts"]
    ]))
})

describe("words", () => {
  const source = file("src/wire/x.ts", '/** Nobody reads it; a broker comes\n * back. */\nconst nobody = "somebody waits"\ninterface StreamPlace {}\n')
  test("are found in comments, also over a line's end, in texts and in names of types, but not in other code", () =>
    expect(wordsInSource(source).map(({ line, word }) => `${line} ${word.replace(/\s+/, " ")}`)).toEqual([
      "1 Nobody",
      "1 comes back",
      "3 somebody",
      "4 StreamPlace"
    ]))
  test("are found in documents outside of code", () => {
    const text = "The high watermark; a watermark.\n\n```ts\nnobody\n```\n`nobody` or somebody\n"
    expect(wordsInDocument(file("docs/y.md", "allow.everyone.if.no.acl.found and low.watermark.ms are settings.\n"))).toEqual([])
    expect(wordsInDocument(file("docs/x.md", text)).map(({ line, word }) => `${line} ${word}`)).toEqual(["1 watermark", "6 somebody"])
  })
  test("are found in subjects of commits, with their form and length", () => {
    expect(wordsInSubjects(["wire: close idle connections", "stream, groups: move the writer", "adapters/log: name segments"])).toEqual([])
    expect(wordsInSubjects(["Close idle connections", "wire: nobody waits", `wire: ${"long ".repeat(20)}`]).map(({ line }) => line)).toEqual([1, 1, 3])
  })
  const found = wordsInSource(source)
  const present = new Set(["src/wire/x.ts"])
  test("may be as many as the ratchet says, also after the file was moved, and no more", () => {
    expect(compareWords(found, { "src/wire/x.ts": 4 }, present)).toEqual([])
    expect(compareWords(found, { "src/broker/x.ts": 4 }, present)).toEqual([])
    expect(compareWords(found, { "src/wire/x.ts": 3 }, present)).toHaveLength(4)
    expect(compareWords(found, { "src/broker/x.ts": 3 }, new Set([...present, "src/broker/x.ts"]))).toHaveLength(4)
  })
  test("the ratchet only goes down", () => {
    expect(loweredWords(found, { "src/wire/x.ts": 9, "src/wire/gone.ts": 2 }, present)).toEqual({ "src/wire/x.ts": 4 })
    expect(loweredWords(found, { "src/wire/x.ts": 3 }, present)).toEqual({ "src/wire/x.ts": 3 })
  })
})

describe("./franz check", () => {
  /** A tree with one file a room, in which nothing is wrong, and the mistakes that are planted in it. */
  const clean: Readonly<Record<string, string>> = {
    "domain/log/a.ts": 'import { Either } from "effect"\n\nexport const a = Either.right(1)\n',
    "src/leader/b.ts": 'import { Effect } from "effect"\nimport { a } from "../../domain/log/a.ts"\n\nexport const b = Effect.succeed(a)\n',
    "src/programs/c.ts": 'import { b } from "../leader/b.ts"\n\nconsole.log(b)\n',
    "adapters/log/d.ts": 'import { setImmediate } from "node:timers"\n\nexport const d = setImmediate\n',
    "scripts/e.ts": 'import { d } from "../adapters/log/d.ts"\n\nconsole.log(d)\n',
    "scripts/tidy/ratchet.json": '{ "sizes": {}, "filesInCircles": 0, "exportsForTests": 0 }',
    "scripts/tidy/words.json": "{}",
    "docs/f.md": "A broker.\n"
  }
  const tidy = (planted: Readonly<Record<string, string>>) => {
    const root = mkdtempSync(join(tmpdir(), "franz-tidy-"))
    for (const [path, text] of Object.entries({ ...clean, ...planted })) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    const run = Bun.spawnSync([process.execPath, join(import.meta.dir, "../../scripts/tidy.ts"), "--root", root])
    rmSync(root, { recursive: true, force: true })
    return { code: run.exitCode, said: run.stderr.toString() }
  }
  test("finds nothing in a tree without mistakes, and runs the rules as its step", () => {
    expect(tidy({})).toEqual({ code: 0, said: "" })
    expect(readFileSync(join(import.meta.dir, "../../scripts/check/step.ts"), "utf8")).toContain('"scripts/tidy.ts"')
  })
  const mistakes: ReadonlyArray<readonly [what: string, path: string, text: string, said: RegExp]> = [
    ["a word", "docs/f.md", "Nobody reads it.\n", /^docs\/f\.md:1 "Nobody": write/],
    ["an unused export", "domain/log/a.ts", `${clean["domain/log/a.ts"]}export const other = 2\n`, /^domain\/log\/a\.ts:4 other is exported/],
    ["process.env in a role", "src/leader/b.ts", `${clean["src/leader/b.ts"]}console.log(process.env.HOME)\n`, /^src\/leader\/b\.ts:5 process: /m],
    ["globalThis in a role", "src/leader/b.ts", `${clean["src/leader/b.ts"]}globalThis.setTimeout(b, 1)\n`, /^src\/leader\/b\.ts:5 globalThis: /m],
    ["a Layer in the domain", "domain/log/a.ts", 'import { Layer } from "effect"\n\nexport const a = Layer.empty\n', /^domain\/log\/a\.ts:1 .*Layer/],
    ["a timer in an adapter", "adapters/log/d.ts", "export const d = () => setTimeout(() => 1, 5)\n", /^adapters\/log\/d\.ts:1 setTimeout: /],
    ["the clock in an adapter", "adapters/log/d.ts", "export const d = () => Date.now()\n", /^adapters\/log\/d\.ts:1 Date\.now: /],
    ["the clock where secrets are drawn", "adapters/cryptography/d.ts", "export const d = () => Date.now()\n", /^adapters\/cryptography\/d\.ts:1 Date\.now: /m],
    ["chance in the clock", "adapters/clock/d.ts", "export const d = () => crypto.randomUUID()\n", /^adapters\/clock\/d\.ts:1 crypto\.randomUUID: /m],
    [
      "a timer from a module",
      "adapters/log/d.ts",
      'import { setTimeout } from "node:timers"\n\nexport const d = setTimeout\n',
      /^adapters\/log\/d\.ts:1 .*node:timers/
    ],
    ["a circle", "domain/log/a.ts", 'import type { b } from "../../src/leader/b.ts"\n\nexport const a: typeof b = 1\n', /2 files import each other in circles/]
  ]
  for (const [what, path, text, said] of mistakes)
    test(`fails for ${what}`, () => {
      const run = tidy({ [path]: text })
      expect(run.said).toMatch(said)
      expect(run.code).toBe(1)
    })
  test("a parameter or a property with a global's name is none", () =>
    expect(
      tidy({
        "src/leader/b.ts": `${clean["src/leader/b.ts"]}export const c = (process: { env: number }) => ({ setTimeout: process.env })\n`,
        "src/programs/c.ts": 'import { b, c } from "../leader/b.ts"\n\nconsole.log(b, c)\n'
      })
    ).toEqual({ code: 0, said: "" }))
})
