import { readFileSync } from "node:fs"

/** How many tests a run had, and a text for each that failed: its file and line, its name, its error. */
export interface Count {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly failures: ReadonlyArray<string>
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

const unescaped = (text: string): string =>
  text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, name) => {
    if (name !== undefined) return entities[name] ?? whole
    return String.fromCodePoint(Number.parseInt(decimal ?? hexadecimal, decimal === undefined ? 16 : 10))
  })

const attributeOf = (attributes: string, name: string): string => unescaped(attributes.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1] ?? "")

const failuresOf = (report: string): ReadonlyArray<string> =>
  [...report.matchAll(/<testcase ([^>]*[^/])>\s*<failure ([^>]*)>([^<]*)/g)].map(([, test = "", failure = "", text = ""]) => {
    const names = [attributeOf(test, "classname"), attributeOf(test, "name")].filter((name) => name !== "")
    const [file, line] = [attributeOf(test, "file"), attributeOf(test, "line")]
    const error = unescaped(text).trim() || attributeOf(failure, "message") || attributeOf(failure, "type")
    return `${file}${line === "" ? "" : `:${line}`} ${names.join(" > ")}\n${error.replaceAll(/^/gm, "  ")}`
  })

/**
 * Reads the report of a run of `bun test` that is called `name` and ended with `status`. A run that crashed has no report, or one without failures: it counts as one failure, so
 * that nothing passes by falling over; what it printed last, where `output` has it, tells why.
 */
export const counted = (name: string, report: string, status: number | null, output = ""): Count => {
  const crash = (how: string) => {
    const said = output.trimEnd().split("\n").slice(-40).join("\n").replaceAll(/^/gm, "  ")
    return [`${name}: ended with ${status === null ? "a signal" : `status ${status}`} ${how}\n${said}`.trimEnd()]
  }
  let text = ""
  try {
    text = readFileSync(report, "utf8")
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: crash("and without a report") }
  }
  const head = text.match(/<testsuites[^>]*>/)?.[0] ?? ""
  const number = (attribute: string) => Number(head.match(new RegExp(`\\b${attribute}="(\\d+)"`))?.[1] ?? 0)
  const failed = number("failures") + number("errors")
  const skipped = number("skipped") || [...text.matchAll(/<skipped/g)].length
  const passed = number("tests") - failed - skipped
  if (failed === 0 && status !== 0) return { passed, failed: 1, skipped, failures: crash("although no test failed") }
  return { passed, failed, skipped, failures: failuresOf(text) }
}

/** What the end of a run repeats of a failure: its first lines and its last, 60 in all. */
export const shortened = (failure: string): string => {
  const lines = failure.split("\n").map((line) => (line.length > 400 ? `${line.slice(0, 400)} …` : line))
  return lines.length <= 60 ? lines.join("\n") : [...lines.slice(0, 30), `  … ${lines.length - 60} lines …`, ...lines.slice(-30)].join("\n")
}
