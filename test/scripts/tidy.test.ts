import { describe, expect, test } from "bun:test"
import { importLaw } from "../../scripts/tidy/import-law.ts"
import { deadFiles, leftovers, timeAndChance } from "../../scripts/tidy/rules.ts"
import { compareSizes } from "../../scripts/tidy/size.ts"

const file = (path: string, text: string) => ({ path, text })

describe("the import law", () => {
  const forbidden: ReadonlyArray<readonly [why: string, path: string, text: string]> = [
    ["a domain file takes the platform", "domain/log/x.ts", 'import { readFileSync } from "node:fs"'],
    ["a domain file takes bun", "domain/log/x.ts", 'import { file } from "bun"'],
    ["a domain file takes a source file", "domain/log/x.ts", 'import { y } from "../../src/wire/y.ts"'],
    ["a domain file takes only a type from a port", "domain/log/x.ts", 'import type { Y } from "../../src/ports/y.ts"'],
    ["a domain file takes Effect's runtime", "domain/log/x.ts", 'import { Effect, Either } from "effect"'],
    ["a domain file takes a runtime module by its path", "domain/log/x.ts", 'import * as Clock from "effect/Clock"'],
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
    ["a file in no room", "src/x.ts", ""]
  ]
  for (const [why, path, text] of forbidden) test(`refuses: ${why}`, () => expect(importLaw([file(path, text)])).toHaveLength(1))

  test("allows what points inward, and one's own room", () => {
    const allowed = [
      file("domain/log/x.ts", 'import { Either, HashMap } from "effect"\nimport { y } from "../kernel/y.ts"'),
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

describe("time and chance", () => {
  test("are found outside adapters/clock, but not in comments, tests or there", () => {
    const text = "export const now = () => Date.now()\n// Date.now() is not for us\n"
    expect(timeAndChance([file("src/wire/x.ts", text)]).map(({ line }) => line)).toEqual([1])
    expect(timeAndChance([file("adapters/clock/x.ts", text), file("test/x.ts", text)])).toEqual([])
    expect(timeAndChance([file("adapters/log/x.ts", "setTimeout(run, 5)")])).toHaveLength(1)
    expect(timeAndChance([file("adapters/log/x.ts", "socket.setTimeout(5)")])).toEqual([])
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
