import { expect, test } from "bun:test"
import { parseOptions, UsageError } from "../../../scripts/torture/options.ts"

test("the command line of the torture, and its defaults", () => {
  const { seed, ...defaults } = parseOptions([])
  expect(Number.isInteger(seed)).toBe(true)
  expect(defaults).toMatchObject({ minutes: 3, events: undefined, kills: undefined, partitions: 6, lastingSeconds: 30, json: undefined })
  expect(parseOptions(["--kills", "200"])).toMatchObject({ kills: 200, faults: ["kill"] })
  const given = parseOptions(["--kills", "200", "--only", "kill,stop", "--clients", "java", "--seed", "7", "--json", "out.json", "--set", "a=b"])
  expect(given).toMatchObject({ kills: 200, faults: ["kill", "stop"], clients: ["java"], seed: 7, json: "out.json", settings: ["a=b"] })
})

test("a wrong command line is refused with the option and what it takes", () => {
  const refusal = (...args: ReadonlyArray<string>): string => {
    try {
      parseOptions(args)
    } catch (cause) {
      if (cause instanceof UsageError) return cause.message
      throw cause
    }
    return "accepted"
  }
  expect(refusal("--minutes", "soon")).toBe("--minutes takes a number of at least 0, not 'soon'.")
  expect(refusal("--kills", "1.5")).toBe("--kills takes a whole number, not '1.5'.")
  expect(refusal("--only", "kill,bite")).toBe("--only: 'bite' is none of kill, bounce, term, stop, wipe, full, cut, down.")
  expect(refusal("--clients", "sarama")).toBe("--clients: 'sarama' is none of librdkafka, java, ours.")
  expect(refusal("--kills", "3", "--only", "stop")).toBe("--kills needs 'kill' among the faults of --only.")
  expect(refusal("--set", "x")).toBe("--set takes NAME=VALUE, not 'x'.")
  expect(refusal("--unknown")).toContain("--unknown")
})
