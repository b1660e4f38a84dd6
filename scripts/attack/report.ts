import type { Outcome } from "./run.ts"

const kib = (bytes: number): string => (bytes >= 10 * 1_048_576 ? `${Math.round(bytes / 1_048_576)} MiB` : `${Math.round(bytes / 1024)} KiB`)
const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** The outcomes as a table of Markdown, and below it what each attack did and what went wrong. */
export const reportLines = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> => [
  row([
    "attack",
    "held",
    "RSS before, peak, after (MiB)",
    "ApiVersions waited: open, new (ms)",
    "message waited (ms)",
    "journal, logs, log lines grew",
    "first answer after (ms)",
    "restart (s)"
  ]),
  row(Array.from({ length: 8 }, () => "---")),
  ...outcomes.map(({ attack, faults, firstAnswerMs, grew, honest, restartSeconds, rssMiB }) =>
    row([
      attack,
      faults.length === 0 ? "yes" : "NO",
      [rssMiB.before, rssMiB.peak, rssMiB.after].map(Math.round).join(", "),
      honest === undefined ? "" : `${honest.openMs.toFixed(0)}, ${honest.newMs.toFixed(0)}`,
      honest === undefined ? "" : honest.produceMs.toFixed(0),
      [grew.journal, grew.logs, grew.logLines].map(kib).join(", "),
      firstAnswerMs.toFixed(0),
      restartSeconds.toFixed(1)
    ])
  ),
  "",
  ...outcomes.flatMap(({ attack, did, faults, honest, isConfined }) => [
    `${attack}: ${did}${isConfined ? "" : " (without a memory cgroup)"}; ${honest?.acknowledged ?? 0} messages acknowledged, ${honest?.lost.length ?? "?"} lost`,
    ...faults.map((fault) => `  did not hold: ${fault}`),
    ...(honest?.failures ?? []).slice(0, 3).map((failure) => `  an honest client saw: ${failure}`)
  ])
]
