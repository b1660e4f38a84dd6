import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { BrokerFault } from "../../broker/fault.ts"
import { askForId } from "../../broker/id-from-leader.ts"
import type { LeaderAddresses, NodeOptions } from "../../cli/node/roles.ts"
import type { Transport } from "../../ports/transport.ts"

/**
 * Returns the id of the node that a data directory belongs to; undefined for a new directory, and for one that cannot
 * be read: opening it reports why.
 */
const idOf = (directory: string): number | undefined => {
  try {
    const [, id] = /^node\.id=(\d{1,10})\s*$/m.exec(readFileSync(join(directory, "meta.properties"), "utf8")) ?? []
    return id === undefined ? undefined : Number(id)
  } catch {
    return undefined
  }
}

const withId = <O extends NodeOptions>(options: O, id: number): O => ({ ...options, config: { ...options.config, "node.id": id, "broker.id": id } })

/** Gives a broker with `--id auto` the id of its data directory, or of a new one that the cluster's leader chooses. */
export const withIdFromLeader = <O extends NodeOptions & LeaderAddresses>(options: O): Effect.Effect<O, BrokerFault, Transport> =>
  Effect.suspend((): Effect.Effect<O, BrokerFault, Transport> => {
    if (options.idFromLeader !== true) return Effect.succeed(options)
    const [directory] = options.data
    const known = idOf(directory)
    if (known !== undefined) return Effect.as(Effect.logInfo(`node.id=${known}: ${directory} belongs to that broker`), withId(options, known))
    return Effect.tap(
      Effect.map(askForId([options.leader, ...(options.otherLeaders ?? [])]), (id) => withId(options, id)),
      ({ config }) => Effect.logInfo(`node.id=${config["node.id"]}: the leader gave this broker its id`)
    )
  })

/** Gives a node without a configured id the id of its data directory, as Kafka does with `broker.id=-1`. */
export const withKnownId = <O extends NodeOptions>(options: O, directory: string): Effect.Effect<O> =>
  Effect.suspend(() => {
    const id = options.idByDefault === true ? idOf(directory) : undefined
    return id === undefined || id === options.config["node.id"]
      ? Effect.succeed(options)
      : Effect.as(Effect.logInfo(`node.id=${id}: ${directory} belongs to that node, and no other id was set`), withId(options, id))
  })
