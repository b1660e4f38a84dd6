import { readFileSync } from "node:fs"

/** How many tests a run had. */
export interface Count {
  passed: number
  failed: number
  skipped: number
}

/**
 * Reads the report of a run of `bun test`, which ended with `status`. A run that crashed has no report, or one without failures: it counts as one failure, so that nothing passes
 * by falling over.
 */
export const counted = (report: string, status: number | null): Count => {
  let text = ""
  try {
    text = readFileSync(report, "utf8")
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const head = text.match(/<testsuites[^>]*>/)?.[0] ?? ""
  const number = (name: string) => Number(head.match(new RegExp(`\\b${name}="(\\d+)"`))?.[1] ?? 0)
  const failed = number("failures") + number("errors")
  const skipped = number("skipped") || [...text.matchAll(/<skipped/g)].length
  return { passed: number("tests") - failed - skipped, failed: failed === 0 && status !== 0 ? 1 : failed, skipped }
}
