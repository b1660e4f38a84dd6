import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { NodeOptions } from "../../cli/node/roles.ts"

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

/** Gives a node without a configured id the id of its data directory, as Kafka does with `broker.id=-1`. */
export const withKnownId = <O extends NodeOptions>(options: O, directory: string): Effect.Effect<O> =>
  Effect.suspend(() => {
    const id = options.idByDefault === true ? idOf(directory) : undefined
    return id === undefined || id === options.config["node.id"]
      ? Effect.succeed(options)
      : Effect.as(Effect.logInfo(`node.id=${id}: ${directory} belongs to that node, and no other id was set`), {
          ...options,
          config: { ...options.config, "node.id": id, "broker.id": id }
        })
  })
