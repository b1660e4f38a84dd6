import { Context, Effect } from "effect"
import { type ForeignDirectory, type LogDirectory, type LogFault, LogStore } from "../ports/log-store.ts"
import { BrokerSettings } from "./broker-settings.ts"

/** The data directories of this broker, claimed for its node id. */
export class OwnDirectories extends Context.Tag("comanche-franz/broker/OwnDirectories")<
  OwnDirectories,
  {
    /** The cluster that they belonged to when the broker started; undefined where they belonged to none yet. */
    readonly clusterId: string | undefined
    /** The directories, if none of them belonged to a cluster or had a log; otherwise an empty list. */
    readonly empty: ReadonlyArray<LogDirectory>
  }
>() {
  /** ForeignDirectory where a directory belongs to another node. */
  static readonly make: Effect.Effect<OwnDirectories["Type"], LogFault | ForeignDirectory, LogStore | BrokerSettings> = Effect.gen(function* () {
    const { nodeId } = yield* BrokerSettings
    const store = yield* LogStore
    const { clusterId } = yield* store.claim({ clusterId: undefined, nodeId })
    const logs = yield* Effect.orElseSucceed(store.list, () => [])
    return { clusterId, empty: clusterId === undefined && logs.length === 0 ? store.directories : [] }
  })
}
