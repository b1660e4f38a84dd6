import { hostname } from "node:os"
import { Effect, type Scope } from "effect"
import type { NamedEndpoint, NodeListener, NodeListeners } from "../../../domain/kernel/config/listener.ts"
import type { Endpoint } from "../../cli/node/roles.ts"
import type { Leader } from "../../leader/leader.ts"
import { formatAddress, type ListenFault, type Transport } from "../../ports/transport.ts"
import { DescribeCluster } from "../../protocol/message/60-describe-cluster.ts"
import { describeCluster } from "../../serve/cluster/describe-cluster.ts"
import { type Route, route } from "../../wire/route.ts"
import type { RouteSwitch } from "../../wire/routing/route-switch.ts"
import { type ServeOptions, serveAll } from "../../wire/server.ts"

const everywhere = new Set(["", "0.0.0.0", "::"])
/** Returns the host at which a node of this machine reaches a listener at `host`. */
const loopback = (host: string): string => (host === "::" ? "::1" : everywhere.has(host) ? "127.0.0.1" : host)

/**
 * Returns the address that clients are given: the advertised one, else where the node listens; of a node that listens
 * on every address, this machine's name.
 */
const toldOf = ({ advertised, host, name }: NodeListener, port: number): NamedEndpoint => ({
  name,
  host: advertised !== undefined && advertised.host !== "" ? advertised.host : everywhere.has(advertised?.host ?? host) ? hostname() : host,
  port: advertised === undefined || advertised.port === 0 ? port : advertised.port
})

/** The open listeners of a node. */
export interface Opened {
  /** The addresses that clients are given, of the listeners for clients; the inter-broker listener is the first. */
  readonly told: ReadonlyArray<NamedEndpoint>
  /** The address that other nodes are given. */
  readonly advertised: NamedEndpoint
  /** The addresses of all other listeners, those for controllers included. */
  readonly others: ReadonlyArray<NamedEndpoint>
  /** The first listener for controllers. */
  readonly controller: NamedEndpoint | undefined
  /** The address at which a node of this machine reaches this one. */
  readonly reached: Endpoint
}

/** The addresses of a node's listeners, for the operator. */
export const addressed = (advertised: NamedEndpoint, others: ReadonlyArray<NamedEndpoint>) => ({
  address: formatAddress(advertised),
  ...(others.length === 0 ? {} : { listeners: Object.fromEntries(others.map((each) => [each.name, formatAddress(each)])) })
})

/** Keys of the APIs that Kafka's controllers serve, those that brokers call on the leader included. */
const controllerKeys: ReadonlySet<number> = new Set([
  1, 17, 18, 19, 20, 29, 30, 31, 32, 33, 36, 37, 38, 39, 40, 41, 43, 44, 45, 46, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 62, 63, 64, 67, 70, 73, 80, 81,
  82
])
/**
 * Returns the routes of a listener for controllers, which is reached `at` there: those of the leader without records
 * and groups. Its Fetch serves the journal alone.
 */
export const controllerRoutes = (
  { cluster, nodeId, routes }: Pick<Leader["Type"], "cluster" | "nodeId" | "routes">,
  at: () => Endpoint | undefined,
  metrics?: () => string
): ReadonlyArray<Route> => [
  ...routes.filter(({ api }) => controllerKeys.has(api.key) && api.key !== DescribeCluster.key),
  route(DescribeCluster, {}, describeCluster({ nodeId, cluster, tellsControllers: true, controllerAt: at, metrics }))
]

/** Opens all listeners of a node, each with the routes that it serves. */
export const openListeners = (
  { all, interBroker }: NodeListeners,
  routes: (listener: NodeListener) => ReadonlyArray<Route> | RouteSwitch,
  options: ServeOptions
): Effect.Effect<Opened, ListenFault, Transport | Scope.Scope> =>
  Effect.map(
    serveAll(
      all.map((listener) => ({
        name: listener.name,
        address: { host: listener.host === "" ? "0.0.0.0" : listener.host, port: listener.port },
        routes: routes(listener)
      })),
      options
    ),
    (addresses) => {
      const open = all.map((listener, at) => ({ listener, port: addresses[at]?.port ?? listener.port }))
      const between = open.find(({ listener }) => listener.name === interBroker) ?? open[0]
      const others = open.filter((each) => each !== between && !each.listener.isController)
      const told = [...(between === undefined ? [] : [between]), ...others].map(({ listener, port }) => toldOf(listener, port))
      return {
        told,
        others: open.filter((each) => each !== between).map(({ listener, port }) => toldOf(listener, port)),
        controller: open.filter(({ listener }) => listener.isController).map(({ listener, port }) => toldOf(listener, port))[0],
        advertised: told[0] ?? { name: interBroker, host: "", port: 0 },
        reached: { host: loopback(between?.listener.host ?? ""), port: between?.port ?? 0 }
      }
    }
  )

/**
 * Returns the listeners of the nth further node of a process: those for clients, on the ports behind those of the nodes
 * before it.
 */
export const listenersOfNth = ({ all, interBroker }: NodeListeners, nth: number): NodeListeners => {
  const clients = all.filter(({ isController }) => !isController)
  const ports = clients.map(({ port }) => port).filter((port) => port !== 0)
  const span = ports.length === 0 ? 0 : Math.max(...ports) - Math.min(...ports) + 1
  return {
    interBroker,
    all: clients.map((each) => ({
      ...each,
      port: each.port === 0 ? 0 : each.port + nth * span,
      advertised: each.advertised === undefined ? undefined : { host: each.advertised.host, port: 0 }
    }))
  }
}
