import type { Figure } from "./rows.ts"

/** One line of the table: medians of all rounds, and the median of the rounds' ratios. */
export interface Result {
  readonly id: string
  readonly figure: string
  readonly unit: string
  readonly ours: number
  readonly kafka: number | undefined
  /** How many times better ours is. */
  readonly ratio: number | undefined
  readonly must: number
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length === 0 ? Number.NaN : sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

export const result = (row: Figure, ours: ReadonlyArray<number>, kafka: ReadonlyArray<number>): Result => {
  const ratios = ours.flatMap((mine, round) => {
    const theirs = kafka[round]
    return theirs === undefined ? [] : [row.more ? mine / theirs : theirs / mine]
  })
  return {
    id: row.id,
    figure: row.figure,
    unit: row.unit,
    ours: median(ours),
    kafka: kafka.length > 0 ? median(kafka) : undefined,
    ratio: ratios.length > 0 ? median(ratios) : undefined,
    must: row.must
  }
}

const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

/** The table as Markdown, for the screen and for docs/performance.md. */
export const markdown = (results: ReadonlyArray<Result>): ReadonlyArray<string> => [
  "| # | figure | ours | Kafka | better by | must | met |",
  "| --- | --- | --- | --- | --- | --- | --- |",
  ...results.map(({ figure, id, kafka, must, ours, ratio, unit }) => {
    const theirs = kafka === undefined ? "not run" : `${digits(kafka)} ${unit}`
    const met = ratio === undefined ? "?" : ratio >= must ? "yes" : "no"
    return `| ${id} | ${figure} | ${digits(ours)} ${unit} | ${theirs} | ${ratio === undefined ? "?" : `${digits(ratio)}x`} | ${must}x | ${met} |`
  })
]
