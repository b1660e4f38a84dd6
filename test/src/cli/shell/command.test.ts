import { describe, expect, test } from "bun:test"
import { Effect, Option } from "effect"
import { command } from "../../../../src/cli/shell/command.ts"
import {
  argument,
  choice,
  flag,
  optionalInteger,
  optionalText,
  repeatedArgument,
  repeatedText,
  requiredInteger,
  requiredText
} from "../../../../src/cli/shell/spec.ts"
import { failureOf } from "../support.ts"

const parsed: Array<unknown> = []
const sample = command({
  path: "cook",
  summary: "cooks",
  example: ["franz cook soup"],
  options: {
    leader: optionalText({ name: "leader", alias: "b", placeholder: "HOST:PORT", help: "Where." }),
    max: optionalInteger({ name: "max", help: "How many." }),
    acks: choice({ name: "acks", of: ["all", "1"], or: "all", help: "Whose word." }),
    set: repeatedText({ name: "set", alias: "X", placeholder: "NAME=VALUE", help: "A setting." }),
    json: flag({ name: "json", help: "JSON." })
  },
  argument: argument("DISH", "What."),
  run: (options, dish) => Effect.sync(() => void parsed.push({ ...options, dish }))
})
const needy = command({
  path: "serve",
  summary: "serves",
  example: ["franz serve --id 1 --leader a:1"],
  options: { id: requiredInteger({ name: "id", help: "Who." }), leader: requiredText({ name: "leader", placeholder: "HOST:PORT", help: "Whom." }) },
  argument: argument("TABLE", "Which."),
  run: () => Effect.void
})
const complaint = (words: string, which = sample) => failureOf(which, words === "" ? [] : words.split(" "))

describe("what is understood", () => {
  test("options before and behind the argument, short names, and --name=value", () => {
    parsed.length = 0
    expect(complaint("-b a:1 soup --max=3 -X p=1 --set q=2=3 --json")).toBeUndefined()
    expect(parsed).toEqual([{ leader: Option.some("a:1"), max: Option.some(3), acks: "all", set: ["p=1", "q=2=3"], json: true, dish: "soup" }])
  })
})

describe("words that could be read in two ways", () => {
  const dishes = (words: string): ReadonlyArray<unknown> => {
    parsed.length = 0
    expect(complaint(words)).toBeUndefined()
    return parsed.map((one) => {
      const { dish, json, leader, max } = one as { dish: string; json: boolean; leader: Option.Option<string>; max: Option.Option<number> }
      return [dish, json, Option.getOrNull(leader), Option.getOrNull(max)]
    })
  }
  test("a flag takes true or false, and no other word", () => {
    expect(dishes("soup --json true")).toEqual([["soup", true, null, null]])
    expect(dishes("--json false soup")).toEqual([["soup", false, null, null]])
    expect(dishes("soup --json=off")).toEqual([["soup", false, null, null]])
    expect(dishes("--json on")).toEqual([["on", true, null, null]])
    expect(dishes("--json 1")).toEqual([["1", true, null, null]])
  })
  test("the word behind an option with a value is its value; a negative number and a dash are arguments", () => {
    expect(dishes("soup -b -- --max -3")).toEqual([["soup", false, "--", -3]])
    expect(dishes("soup -b --json")).toEqual([["soup", false, "--json", null]])
    expect(dishes("-7")).toEqual([["-7", false, null, null]])
    expect(dishes("-")).toEqual([["-", false, null, null]])
  })
  test("everything behind -- is an argument", () => expect(dishes("--json -- --max")).toEqual([["--max", true, null, null]]))
})

describe("what is not, in words that help", () => {
  const cases: ReadonlyArray<readonly [words: string, message: string]> = [
    ["", "DISH is missing."],
    ["soup salad", "'salad' is one word too many."],
    ["soup --mx 3", "there is no option --mx here. Did you mean '--max'?"],
    ["soup --helpp", "there is no option --helpp here. Did you mean '--help'?"],
    ["soup --max few", "--max few: expected a whole number."],
    ["soup --acks none", "--acks none: expected all or 1."],
    ["soup --max 1 --max 2", "--max is given twice."],
    ["soup --max", "--max needs a value: --max N."],
    ["soup -b", "-b needs a value: -b HOST:PORT."],
    ["soup -b a:1 --leader b:2", "--leader is given twice."],
    ["soup --json --json", "--json is given twice."],
    ["soup --json=maybe", "--json maybe: expected true or false."],
    ["soup --mx=3", "there is no option --mx here. Did you mean '--max'?"],
    ["soup --JSON", "there is no option --JSON here. Did you mean '--json'?"],
    ["soup -X", "-X needs a value: -X NAME=VALUE."],
    ["soup -X a=1 --set", "--set needs a value: --set NAME=VALUE."]
  ]
  for (const [words, message] of cases) {
    test(`cook ${words}`, () => {
      const failure = complaint(words)
      expect(failure?.message).toBe(message)
      expect(failure?.exit).toBe("usage")
      expect(failure?.hint).toBe("Usage: franz cook [OPTIONS] DISH  (franz cook --help)")
    })
  }
  test("all that is missing is named at once", () => expect(complaint("one", needy)?.message).toBe("--id and --leader must be given."))
})

test("an option that is unknown is no name, where many names may stand; behind -- it is one", () => {
  const made: Array<ReadonlyArray<string>> = []
  const many = command({
    path: "make",
    summary: "makes",
    example: ["franz make a b"],
    options: { max: optionalInteger({ name: "max", help: "How many." }) },
    argument: repeatedArgument("NAME", "What."),
    run: (_, names) => Effect.sync(() => void made.push(names))
  })
  expect(complaint("a --mx 3", many)?.message).toBe("there is no option --mx here. Did you mean '--max'?")
  expect(complaint("-z a", many)?.message).toBe("there is no option -z here.")
  expect(made).toEqual([])
  expect(complaint("a --max 3 b", many)).toBeUndefined()
  expect(complaint("--max 3 -- a --mx", many)).toBeUndefined()
  expect(made).toEqual([
    ["a", "b"],
    ["a", "--mx"]
  ])
})

test("the help shows usage, options and an example", () => {
  const help = sample.help("franz").join("\n")
  expect(help).toContain("franz cook [OPTIONS] DISH")
  expect(help).toContain("-X, --set NAME=VALUE")
  expect(help).toContain("Example\n  franz cook soup")
})
