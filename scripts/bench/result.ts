import type { Side } from "./broker.ts"
import type { Figure, Goal, Sample } from "./row.ts"

/** One line of the table: medians of all rounds, and the median of the rounds' ratios. */
interface Result extends Figure {
  readonly ours: number
  readonly peer: number | undefined
  /** How many times better ours is. */
  readonly ratio: number | undefined
  readonly meetsMust: boolean | undefined
  readonly meetsStretch: boolean | undefined
  readonly rounds: { readonly ours: ReadonlyArray<number>; readonly peer: ReadonlyArray<number> }
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length === 0 ? Number.NaN : sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

const meets = (goal: Goal | undefined, ours: number, ratio: number | undefined): boolean | undefined => {
  if (goal === undefined || Number.isNaN(ours)) return undefined
  if ("times" in goal) return ratio === undefined ? undefined : ratio >= goal.times
  return "atMost" in goal ? ours <= goal.atMost : ours >= goal.atLeast
}

export const resultOf = (figure: Figure, samples: ReadonlyArray<Sample>): Result => {
  const of = (side: Side) => samples.flatMap((sample) => (sample.side === side && figure.id in sample.values ? [sample.values[figure.id] as number] : []))
  const rounds = { ours: of("ours"), peer: of("peer") }
  const ratios = rounds.ours.flatMap((mine, round) => {
    const theirs = rounds.peer[round]
    return theirs === undefined ? [] : [figure.more ? mine / theirs : theirs / mine]
  })
  const ours = median(rounds.ours)
  const ratio = ratios.length > 0 ? median(ratios) : undefined
  return {
    ...figure,
    ours,
    peer: rounds.peer.length > 0 ? median(rounds.peer) : undefined,
    ratio,
    meetsMust: meets(figure.must, ours, ratio),
    meetsStretch: meets(figure.stretch, ours, ratio),
    rounds
  }
}

export const digits = (value: number): string => (Math.abs(value) >= 1000 ? String(Math.round(value)) : Number(value.toPrecision(3)).toString())

const goalText = (goal: Goal | undefined, unit: string): string => {
  if (goal === undefined) return ""
  if ("times" in goal) return `${goal.times}x`
  return "atMost" in goal ? `<= ${goal.atMost} ${unit}` : `>= ${goal.atLeast} ${unit}`
}
const goalCell = (goal: Goal | undefined, met: boolean | undefined, unit: string): string =>
  goal === undefined ? "" : `${goalText(goal, unit)}: ${met === undefined ? "?" : met ? "yes" : "no"}`

/** The table as Markdown, for the screen and for docs/performance.md. */
export const markdown = (results: ReadonlyArray<Result>): ReadonlyArray<string> => [
  "| # | figure | ours | peer | better by | must | stretch |",
  "| --- | --- | --- | --- | --- | --- | --- |",
  ...results.map(({ figure, id, meetsMust, meetsStretch, must, ours, peer, ratio, stretch, unit }) => {
    const theirs = peer === undefined ? "" : `${digits(peer)} ${unit}`
    const by = ratio === undefined ? "" : `${digits(ratio)}x`
    return `| ${id} | ${figure} | ${digits(ours)} ${unit} | ${theirs} | ${by} | ${goalCell(must, meetsMust, unit)} | ${goalCell(stretch, meetsStretch, unit)} |`
  })
]
