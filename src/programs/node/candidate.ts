import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { ignoredSettings, liveNodeConfig } from "../../../domain/cluster/config/node.ts"
import { initial } from "../../../domain/cluster/state.ts"
import type { NamedEndpoint, NodeListener } from "../../../domain/kernel/config/listener.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import type { NodeOptions } from "../../cli/node/roles.ts"
import { beCandidate, type CandidateRole } from "../../leader/candidacy.ts"
import { LogStore } from "../../ports/log-store.ts"
import { metricsText } from "../../ports/metrics.ts"
import { serveOptions } from "../../serve/serve-options.ts"
import { RouteSwitch } from "../../wire/routing/route-switch.ts"
import { journalDirectory } from "./data-directories.ts"
import { LeaderRole, layerCandidate, layerShared } from "./leader-role.ts"
import { addressed, controllerRoutes, openListeners } from "./listening.ts"
import type { NodeFault } from "./node-failure.ts"
import { processMemory } from "./process-memory.ts"

/**
 * A candidate for the leader's role. Its listeners are open while it stands by and while it leads; it is ready when there is a leader,
 * this process or one that takes its reports. `failed` fails where it can be neither.
 */
export const startCandidate = (options: NodeOptions) =>
  Effect.gen(function* () {
    const { config, listeners, written } = options
    const nodeId = BrokerId.make(config["node.id"])
    const directory = journalDirectory(options)
    const shared = yield* Layer.build(layerShared(options, directory))
    const metrics = yield* metricsText
    const forClients = new RouteSwitch([])
    const forControllers = new RouteSwitch([])
    let role: CandidateRole = { nodeId, cluster: () => initial, routes: [], isLeading: false }
    const ready = yield* Deferred.make<void, NodeFault>()
    const told = yield* Deferred.make<readonly [NamedEndpoint, ...ReadonlyArray<NamedEndpoint>]>()
    let controller: NamedEndpoint | undefined
    const become = (next: CandidateRole): void => {
      const closes = role.isLeading && !next.isLeading
      role = next
      forClients.become(next.routes, closes)
      forControllers.become(next.routes.length === 0 ? [] : controllerRoutes(next, () => (next.isLeading ? controller : undefined), metrics), closes)
    }
    const life = Effect.gen(function* () {
      const { directories } = yield* LogStore
      return yield* beCandidate({
        options: { nodeId, config, written, directories },
        listeners: yield* Deferred.await(told),
        become,
        ready: Effect.asVoid(Deferred.succeed(ready, undefined)),
        lead: (standby) =>
          Effect.map(Layer.build(layerCandidate(options, directory, standby)), (context) => Context.get(context, LeaderRole)).pipe(
            Effect.tap(({ cluster }) => Effect.forEach(ignoredSettings(cluster(), nodeId), (line) => Effect.logWarning(line), { discard: true }))
          )
      })
    })
    // When the node stops, its listeners close first: requests that were taken get their answers.
    const living = yield* Effect.forkScoped(Effect.tapError(Effect.provide(life, shared), (fault) => Deferred.fail(ready, fault)))
    const routes = ({ isController }: NodeListener) => (isController ? forControllers : forClients)
    const opened = yield* openListeners(
      listeners,
      routes,
      serveOptions(config, { live: liveNodeConfig(config, () => role.cluster(), nodeId), memory: processMemory(config) })
    )
    controller = opened.controller
    yield* Deferred.succeed(told, [opened.advertised, ...opened.told.slice(1)])
    yield* Deferred.await(ready)
    return { address: addressed(opened.advertised, opened.others), reached: opened.reached, cluster: () => role.cluster(), failed: Fiber.join(living) }
  })
