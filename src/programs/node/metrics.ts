import { Context, Effect, Layer, type Scope } from "effect"
import { layer as nodeMetrics } from "../../../adapters/metrics/layer.ts"
import { prometheusText } from "../../../adapters/metrics/prometheus-text.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { Metrics } from "../../ports/metrics.ts"
import { type Address, formatAddress, type ListenFault } from "../../ports/transport.ts"

/** The metrics of the nodes of this process, for the one listener that Prometheus scrapes. */
export class ScrapedNodes extends Context.Tag("comanche-franz/ScrapedNodes")<ScrapedNodes, Set<Metrics["Type"]>>() {}

/** Reads the setting's text, whose form was checked; undefined for the empty text. */
const addressOf = (text: string): Address | undefined => {
  const [, host, port] = /^(.+):(\d+)$/.exec(text) ?? []
  return host === undefined ? undefined : { host: host.replace(/^\[|\]$/g, ""), port: Number(port) }
}

/** Opens the listener of franz.metrics.listener, where that is set, until the scope closes. */
const listener = (config: NodeConfig, nodes: Set<Metrics["Type"]>): Effect.Effect<void, ListenFault, Scope.Scope> =>
  Effect.gen(function* () {
    const address = addressOf(config["franz.metrics.listener"])
    if (address === undefined) return
    // node:http takes 10 ms to load: a process without the listener does without.
    const { listenForScrapes } = yield* Effect.promise(() => import("../../../adapters/metrics/http-listener.ts"))
    const at = yield* listenForScrapes(address, () => prometheusText([...nodes].flatMap((node) => node.samples())))
    yield* Effect.logInfo(`metrics for Prometheus at http://${formatAddress(at)}/metrics`)
  })

/** The nodes of this process to scrape, and the listener where the settings name one. */
export const layerScrapedNodes = (config: NodeConfig): Layer.Layer<ScrapedNodes, ListenFault> =>
  Layer.scoped(
    ScrapedNodes,
    Effect.suspend(() => {
      const nodes = new Set<Metrics["Type"]>()
      return Effect.as(listener(config, nodes), nodes)
    })
  )

/** Gives a node metrics of its own, which are scraped until the scope closes. */
export const withMetrics =
  (nodeId: number) =>
  <A, E, R>(node: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Metrics> | ScrapedNodes | Scope.Scope> =>
    Effect.gen(function* () {
      const nodes = yield* ScrapedNodes
      const metrics = Context.get(yield* Layer.build(nodeMetrics(nodeId)), Metrics)
      yield* Effect.acquireRelease(
        Effect.sync(() => nodes.add(metrics)),
        () => Effect.sync(() => nodes.delete(metrics))
      )
      return yield* node.pipe(Effect.provideService(Metrics, metrics), Effect.tagMetrics("node", String(nodeId)))
    })
