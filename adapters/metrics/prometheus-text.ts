import { type MetricKey, MetricKeyType, type MetricLabel, MetricState } from "effect"
import type { MetricSample } from "../../src/ports/metrics.ts"

/** What a response with this text says of its form. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8"

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

const labelText = (labels: ReadonlyArray<MetricLabel.MetricLabel>): string =>
  labels.length === 0 ? "" : `{${labels.map(({ key, value }) => `${key}="${escapeLabel(value)}"`).join(",")}}`

/** A counter's or a gauge's number. Other kinds of Effect's metrics are not used here. */
const valueOf = (state: MetricState.MetricState.Untyped): number | undefined => {
  if (MetricState.isCounterState(state)) return Number(state.count)
  return MetricState.isGaugeState(state) ? Number(state.value) : undefined
}

const typeOf = ({ keyType }: MetricKey.MetricKey.Untyped): "counter" | "gauge" => (MetricKeyType.isCounterKey(keyType) ? "counter" : "gauge")

/**
 * Returns samples in Prometheus' text format: the metrics by name, each with HELP and TYPE once, its samples by their
 * labels.
 */
export const prometheusText = (samples: ReadonlyArray<MetricSample>): string => {
  const families = new Map<string, { readonly key: MetricKey.MetricKey.Untyped; readonly lines: Array<string> }>()
  for (const { metricKey, metricState } of samples) {
    const value = valueOf(metricState)
    if (value === undefined) continue
    const family = families.get(metricKey.name) ?? { key: metricKey, lines: [] }
    families.set(metricKey.name, family)
    family.lines.push(`${metricKey.name}${labelText(metricKey.tags)} ${value}`)
  }
  const names = [...families.keys()].sort()
  return names
    .map((name) => {
      const { key, lines } = families.get(name) as { readonly key: MetricKey.MetricKey.Untyped; readonly lines: Array<string> }
      const help = key.description._tag === "Some" ? `# HELP ${name} ${escapeHelp(key.description.value)}\n` : ""
      return `${help}# TYPE ${name} ${typeOf(key)}\n${lines.sort().join("\n")}\n`
    })
    .join("")
}
