import { Effect, Layer, Metric, MetricKey, MetricLabel, MetricPair } from "effect"
import { type MetricSample, type MetricSource, Metrics } from "../../src/ports/metrics.ts"
import { prometheusText } from "./prometheus-text.ts"

/** The label that tells the nodes of a cluster, and those of one process, apart. */
const nodeLabel = "node"
/** Metrics of this system; Effect's own and a program's around the library have other names. */
const prefix = "franz_"

/**
 * The metrics of the node of this id: those that its parts register, and Effect's of the process that have its label.
 */
export const layer = (nodeId: number): Layer.Layer<Metrics> =>
  Layer.sync(Metrics, () => {
    const node = MetricLabel.make(nodeLabel, String(nodeId))
    const sources = new Set<MetricSource>()
    const isOwn = ({ metricKey }: MetricSample): boolean =>
      metricKey.name.startsWith(prefix) && metricKey.tags.some(({ key, value }) => key === node.key && value === node.value)
    const labelled = ({ metricKey, metricState }: MetricSample): MetricSample =>
      MetricPair.unsafeMake(MetricKey.taggedWithLabels(metricKey, [node]), metricState) as MetricSample
    const samples = (): ReadonlyArray<MetricSample> => [
      ...[...sources].flatMap((source) => [...source()].map(labelled)),
      ...Metric.unsafeSnapshot().filter(isOwn)
    ]
    return {
      register: (source) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => sources.add(source)),
            () => Effect.sync(() => sources.delete(source))
          )
        ),
      samples,
      text: () => prometheusText(samples())
    }
  })
