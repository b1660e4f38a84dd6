import { Effect } from "effect"
import type { MetricValue } from "../../client/admin/metrics.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { print, printJson } from "../shell/screen.ts"
import { noArgument } from "../shell/spec.ts"

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

/** The lines of Prometheus' text format for values that are sorted by name. */
const metricLines = (values: ReadonlyArray<MetricValue>): ReadonlyArray<string> => {
  let before: string | undefined
  return values.flatMap(({ help, labels, name, type, value }) => {
    const heads = name === before ? [] : [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`]
    before = name
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text).replaceAll('"', '\\"')}"`)
    return [...heads, `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`]
  })
}

export const clusterMetrics = command({
  path: "cluster metrics",
  summary: "print the metrics of all nodes in Prometheus' text format",
  about: [
    "Prometheus can scrape the same metrics from each process that sets franz.metrics.listener.",
    "The metrics of a leader that is not a broker are included where --leader has its address. docs/metrics.md lists the metrics."
  ],
  example: ["franz cluster metrics", "franz cluster metrics --json"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.map(admin.metrics, (values) => {
        if (words.json) for (const value of values) printJson(value)
        else for (const line of metricLines(values)) print(line)
      })
    )
})
