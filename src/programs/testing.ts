import { Context, Data, Effect, Either, Exit, FiberRef, Layer, Logger, LogLevel, Scope } from "effect"
import { PrivateDirectories } from "../../adapters/log/file/layer.ts"
import { soleListenerAt } from "../../domain/kernel/config/listener.ts"
import { defaultNodeConfig, isNodeSetting, type NodeConfig, nodeSetting, nodeSettingNames, parseSetting } from "../../domain/kernel/config.ts"
import { didYouMean } from "../../domain/kernel/nearest.ts"
import { type CallOptions, callOnce } from "../client/promise/calls.ts"
import { keepingInterruption } from "../ports/kept-interruption.ts"
import type { TaggedErrorClass } from "../ports/tagged-error.ts"
import { Transport } from "../ports/transport.ts"
import { type ClusterFault, type FaultOptions, Faults } from "./fault/faults.ts"
import { faultyTransport } from "./fault/faulty-transport.ts"
import { startUp } from "./node/nodes.ts"
import type { NodeSettings } from "./node-settings.ts"
import { sockets } from "./platform.ts"
import { surroundings } from "./surroundings.ts"
import { testDirectory } from "./test-directory.ts"
import { layerVirtualSurroundings } from "./virtual-surroundings.ts"

export { InvalidArgument } from "../client/error.ts"
export type { ClusterFault, FaultAction, FaultOptions } from "./fault/faults.ts"
export type { NodeSettings } from "./node-settings.ts"

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
  /**
   * Lets requests of clients fail, until the fault is removed: `fault({ api: "Produce", count: 1, action: { errorCode:
   * "NOT_LEADER_OR_FOLLOWER" } })`. Of several faults that mean a request, the first one strikes. Throws InvalidArgument.
   */
  readonly fault: (options: FaultOptions) => ClusterFault
}

export interface ClusterOptions {
  /** Default 1. */
  readonly brokers?: number
  /** Settings by their Kafka names, for every node. The default of `group.initial.rebalance.delay.ms` is 0 here. A wrong name or value fails with ClusterFailure. */
  readonly config?: NodeSettings
  /** The lowest level that the nodes log. Default LogLevel.Warning. */
  readonly logLevel?: LogLevel.LogLevel
}

const ClusterFailureError: TaggedErrorClass<"ClusterFailure"> = Data.TaggedError("ClusterFailure")
/** The cluster could not be started. */
export class ClusterFailure extends ClusterFailureError<{ readonly message: string }> {}

/** Reads the settings as a file of settings is read. */
const nodeConfig = (settings: NodeSettings): Effect.Effect<NodeConfig, ClusterFailure> =>
  Effect.suspend(() => {
    const read: Record<string, unknown> = { ...defaultNodeConfig, "group.initial.rebalance.delay.ms": 0 }
    for (const [name, value] of Object.entries(settings)) {
      if (value === undefined) continue
      if (!isNodeSetting(name)) return new ClusterFailure({ message: `config: there is no setting '${name}'.${didYouMean(name, nodeSettingNames)}` })
      const parsed = parseSetting(name, nodeSetting(name), String(value))
      if (Either.isLeft(parsed)) return new ClusterFailure({ message: `config: ${parsed.left.message}` })
      read[name] = parsed.right
    }
    return Effect.succeed(read as NodeConfig)
  })

/**
 * Starts a leader and brokers on free ports. They are ready for every request when it returns, and stop with the scope.
 */
export const cluster = (options: ClusterOptions = {}): Effect.Effect<RunningCluster, ClusterFailure, Scope.Scope> =>
  keepingInterruption(Effect.flatMap(testDirectory, (directory) => start(options, { directory, port: 0 })))

const start = (
  { brokers = 1, config = {}, logLevel = LogLevel.Warning }: ClusterOptions,
  { directory, port }: { readonly directory: string; readonly port: number }
): Effect.Effect<RunningCluster, ClusterFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const faults = new Faults()
    const around = yield* FiberRef.get(surroundings)
    const transport = Layer.effect(
      Transport,
      Effect.map(Transport, (plain) => faultyTransport(plain, faults))
    ).pipe(Layer.provide(around.transport ?? sockets))
    const running = yield* startUp({
      config: yield* nodeConfig(config),
      listeners: soleListenerAt({ host: "127.0.0.1", port }),
      data: [directory],
      brokers: Math.max(1, brokers)
    }).pipe(Effect.locally(surroundings, { ...around, transport }))
    const addresses = running.nodes.map(({ address }) => address)
    const leader = running.nodes.find(({ roles }) => roles.includes("leader"))?.address ?? ""
    return { bootstrap: addresses.join(","), leader, brokers: addresses, fault: (options: FaultOptions) => faults.install(options, addresses) }
  }).pipe(
    Effect.mapError(({ message }) => new ClusterFailure({ message })),
    Effect.provideService(PrivateDirectories, true),
    Logger.withMinimumLogLevel(logLevel)
  )

const TestClusterTag: Context.TagClass<TestCluster, "comanche-franz/TestCluster", RunningCluster> = Context.Tag("comanche-franz/TestCluster")<
  TestCluster,
  RunningCluster
>()
/**
 * A cluster as a service, started and stopped with the layer:
 *
 *     const program = Effect.flatMap(TestCluster, ({ leader }) => …)
 *     program.pipe(Effect.provide(TestCluster.layer({ brokers: 3 })))
 */
export class TestCluster extends TestClusterTag {
  static readonly layer = (options: ClusterOptions = {}): Layer.Layer<TestCluster, ClusterFailure> => Layer.scoped(TestCluster, cluster(options))
  /**
   * The same in virtual time: no sockets, no files, and an hour passes in a moment. The nodes listen at 127.0.0.1:9092,
   * 9093 … of a network in memory, which `Producer`, `Consumer` and `Admin` use where this layer is provided.
   *
   * Effect's clock is virtual for what this layer is provided to. Its time passes by itself while nothing can run, up to
   * the next thing that is due. `TestClock.adjust("1 hour")` lets it pass and returns when everything is done that was
   * due by then; `TestClock.setTime` too. Promises of files and sockets are not waited for.
   */
  static readonly layerVirtual = (options: ClusterOptions = {}): Layer.Layer<TestCluster, ClusterFailure> =>
    Layer.scoped(TestCluster, keepingInterruption(start(options, { directory: "/virtual", port: 9092 }))).pipe(Layer.provideMerge(layerVirtualSurroundings))
  /** See `startCluster`. */
  static readonly start = (options: ClusterOptions = {}, call?: CallOptions): Promise<StartedCluster> => startCluster(options, call)
}

/** A cluster that its caller closes: `await cluster.close()`, or `await using cluster = await startCluster()`, which closes it after a test that failed, too. */
export interface StartedCluster extends RunningCluster, AsyncDisposable {
  /** Stops all nodes and removes their data. Calls after the first do nothing. */
  readonly close: () => Promise<void>
}

/**
 * The same without Effect: `const cluster = await startCluster({ brokers: 3 })`, and `await cluster.close()` at the
 * end. Rejects with ClusterFailure. Where the process ends without `close`, by whatever signal, the data is removed all
 * the same.
 */
export const startCluster = async (options: ClusterOptions = {}, call?: CallOptions): Promise<StartedCluster> => {
  const scope = Effect.runSync(Scope.make())
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const running = await callOnce("cluster", Scope.extend(cluster(options), scope), call)
    return { ...running, close, [Symbol.asyncDispose]: close }
  } catch (failure) {
    await close()
    throw failure
  }
}
