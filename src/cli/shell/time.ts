/** Milliseconds of the units of a time before the present. */
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The times that `timeOf` reads, for help texts and usage errors. */
export const timeForms = "ms since 1970, a date (2026-11-29, 2026-11-29T10:00:00Z) or a time before the present (90s, 15m, 2h, 7d)"

/**
 * Reads a time. Returns ms since 1970; undefined for other text. A date and time without a zone is UTC, as in Kafka's
 * tools. `nowMs` is the present.
 */
export const timeOf = (text: string, nowMs: number): number | undefined => {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const [, amount, unit] = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) return Math.max(0, nowMs - Number(amount) * (unitMs[unit] ?? 1))
  const [, day, hours, zone] = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(Z|[+-]\d{2}:?\d{2})?$/.exec(text) ?? []
  if (day === undefined || (hours === undefined && zone !== undefined)) return undefined
  const ms = Date.parse(`${day}${hours ?? "T00:00"}${(zone ?? "Z").replace(/^([+-]\d{2})(\d{2})$/, "$1:$2")}`)
  return ms >= 0 ? ms : undefined
}
