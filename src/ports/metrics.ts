import { Context, Effect, MetricKey, MetricLabel, MetricPair, MetricState, Option, type Scope } from "effect"

/** One value of a metric with its labels. */
export type MetricSample = MetricPair.MetricPair.Untyped
type MetricLabels = Readonly<Record<string, string>>

/**
 * Reads the samples of a part of the node. It is called when an operator asks, must not wait, and takes a few
 * milliseconds at most.
 */
export type MetricSource = () => Iterable<MetricSample>

const labelsOf = (labels: MetricLabels): ReadonlyArray<MetricLabel.MetricLabel> => Object.entries(labels).map(([key, value]) => MetricLabel.make(key, value))

/** Returns the value of a metric that only rises while the process lives. Its name ends with `_total`. */
export const counterSample = (name: string, description: string, value: number, labels: MetricLabels = {}): MetricSample =>
  MetricPair.unsafeMake(MetricKey.taggedWithLabels(MetricKey.counter(name, { description }), labelsOf(labels)), MetricState.counter(value))

/** Returns the value of a metric that rises and falls. */
export const gaugeSample = (name: string, description: string, value: number, labels: MetricLabels = {}): MetricSample =>
  MetricPair.unsafeMake(MetricKey.taggedWithLabels(MetricKey.gauge(name, { description }), labelsOf(labels)), MetricState.gauge(value))

/**
 * The metrics of one node, for its operator. What is counted a thousand times a second is counted in plain numbers and
 * read by a source; what is rare is an Effect `Metric` whose name begins with `franz_`, under
 * `Effect.tagMetrics("node", …)`. docs/metrics.md lists every metric with its unit.
 */
export class Metrics extends Context.Tag("comanche-franz/Metrics")<
  Metrics,
  {
    /** Adds a source until the scope closes. */
    readonly register: (source: MetricSource) => Effect.Effect<void, never, Scope.Scope>
    /** Returns all samples, each with the label `node`. */
    readonly samples: () => ReadonlyArray<MetricSample>
    /** Returns the samples in Prometheus' text format, version 0.0.4. */
    readonly text: () => string
  }
>() {}

/** Adds a source to the metrics of the node until the scope closes; does nothing where the node has no metrics. */
export const registerMetrics = (source: MetricSource): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Effect.serviceOption(Metrics), Option.match({ onNone: () => Effect.void, onSome: ({ register }) => register(source) }))

/** Returns what reads the text of the node's metrics; undefined where the node has no metrics. */
export const metricsText: Effect.Effect<(() => string) | undefined> = Effect.map(Effect.serviceOption(Metrics), (found) =>
  Option.getOrUndefined(Option.map(found, ({ text }) => text))
)
