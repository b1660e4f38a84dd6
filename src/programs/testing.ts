import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Data, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { soleListenerAt } from "../../domain/kernel/config/listener.ts"
import { defaultNodeConfig, type NodeConfig } from "../../domain/kernel/config.ts"
import { startUp } from "./node/nodes.ts"

/**
 * A real cluster in a test: a leader and brokers with their logs in a temporary directory, reached over TCP on
 * 127.0.0.1 by any Kafka client.
 */
export interface RunningCluster {
  /** The addresses of all nodes, separated by commas: the value of `leader` or bootstrap.servers of a client. */
  readonly bootstrap: string
  /** The leader's address, which is the first broker's too. */
  readonly leader: string
  /** Every broker's address, the leader's first. */
  readonly brokers: ReadonlyArray<string>
}

export interface ClusterOptions {
  /** Default 1. */
  readonly brokers?: number
  /** Settings by their Kafka names, for every node. The default of `group.initial.rebalance.delay.ms` is 0 here. */
  readonly config?: Partial<NodeConfig>
  /** The lowest level that the nodes log. Default LogLevel.Warning. */
  readonly logLevel?: LogLevel.LogLevel
}

/** The cluster could not be started. */
export class ClusterFailure extends Data.TaggedError("ClusterFailure")<{ readonly message: string }> {}

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "comanche-franz-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/**
 * Starts a leader and brokers on free ports. They are ready for every request when it returns, and stop with the scope.
 */
export const cluster = ({
  brokers = 1,
  config = {},
  logLevel = LogLevel.Warning
}: ClusterOptions = {}): Effect.Effect<RunningCluster, ClusterFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const data = yield* directory
    const running = yield* startUp({
      config: { ...defaultNodeConfig, "group.initial.rebalance.delay.ms": 0, ...config },
      listeners: soleListenerAt({ host: "127.0.0.1", port: 0 }),
      data: [data],
      brokers: Math.max(1, brokers)
    })
    const addresses = running.nodes.map(({ address }) => address)
    const leader = running.nodes.find(({ roles }) => roles.includes("leader"))?.address ?? ""
    return { bootstrap: addresses.join(","), leader, brokers: addresses }
  }).pipe(
    Effect.mapError(({ message }) => new ClusterFailure({ message })),
    Logger.withMinimumLogLevel(logLevel)
  )

/**
 * A cluster as a service, started and stopped with the layer:
 *
 *     const program = Effect.flatMap(TestCluster, ({ leader }) => …)
 *     program.pipe(Effect.provide(TestCluster.layer({ brokers: 3 })))
 */
export class TestCluster extends Context.Tag("comanche-franz/TestCluster")<TestCluster, RunningCluster>() {
  static readonly layer = (options: ClusterOptions = {}): Layer.Layer<TestCluster, ClusterFailure> => Layer.scoped(TestCluster, cluster(options))
}

/**
 * The same without Effect: `const cluster = await startCluster({ brokers: 3 })`, and `await cluster.close()` at the
 * end.
 */
export const startCluster = async (options: ClusterOptions = {}): Promise<RunningCluster & { readonly close: () => Promise<void> }> => {
  const scope = Effect.runSync(Scope.make())
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    return { ...(await Effect.runPromise(Scope.extend(cluster(options), scope))), close }
  } catch (failure) {
    await close()
    throw failure
  }
}
