import { Effect, Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { type Replacement, replacementOf } from "../../../domain/cluster/replication/replacement.ts"
import { brokerOf, type Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { CommandIds } from "../../stream/command-ids.ts"
import { Watch } from "../../stream/watch.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderSettings, partitionsPerBrokerMax } from "../settings.ts"
import { LostBrokers } from "./lost-brokers.ts"

type Services = ClusterStream | CommandIds | LeaderSettings

/** Partitions that move away from one broker at a time. */
const movesMax = 50
/** How often to look, ms, at most: the moves that follow begin this much late. */
const lookEveryMs = 1000

/** What the log has said of a broker's replacement. A line is repeated only when another one came between. */
type Said = "moves" | "no broker" | "no copy"

const partitions = (count: number): string => `${count} ${count === 1 ? "partition" : "partitions"}`
const nameOf = (cluster: Cluster, id: BrokerId): string => {
  const broker = brokerOf(cluster, id)
  return broker === undefined ? `broker ${id} (not registered)` : `broker ${id} at ${broker.host}:${broker.port}`
}

const lineOf = (said: Said, name: string, { due, moving, waiting }: Replacement): string => {
  switch (said) {
    case "moves":
      return `${name} has not returned within franz.broker.replacement.delay.ms: the replicas of ${partitions(due + moving)} move to other brokers, ${movesMax} at a time. \`franz cluster doctor\` shows the progress.`
    case "no broker":
      return `${name} cannot be replaced: no broker is free for ${partitions(due)}. Start another one: \`franz broker --id auto --leader HOST:PORT --data DIR\`.`
    case "no copy":
      return `${name} has the only copy of ${partitions(waiting)}, or no replica of them leads: they wait until the broker restarts.`
  }
}

/** Moves what can be moved from one broker; returns what to say of it. */
const replace = (brokerId: BrokerId) =>
  Effect.gen(function* () {
    const { writer } = yield* ClusterStream
    const commandIds = yield* CommandIds
    const settings = yield* LeaderSettings
    const command = Command.ReplaceBroker({ brokerId, movesMax, partitionsPerBrokerMax: partitionsPerBrokerMax(settings) })
    const before = replacementOf(writer.state(), brokerId)
    if (before.due === 0) return [before.moving > 0 ? "moves" : "no copy", before] as const
    // Without room for more moves there is no command: it would have no event.
    if (before.moving >= movesMax) return ["moves", before] as const
    const outcome = yield* Effect.either(writer.submit({ command, commandId: commandIds.own(), actor: "leader", cause: `replacement of broker ${brokerId}` }))
    const isMoving = before.moving > 0 || (Either.isRight(outcome) && outcome.right.events.length > 0)
    return [isMoving ? "moves" : "no broker", before] as const
  })

/**
 * Gives the replicas of brokers that are fenced or unregistered for `franz.broker.replacement.delay.ms` to other brokers, a part at a time, for as long as it runs. A broker
 * that returns keeps what was not moved.
 */
export const replaceLostBrokers: Effect.Effect<never, never, Services> = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const { config } = yield* LeaderSettings
  const delayMs = config["franz.broker.replacement.delay.ms"]
  if (delayMs < 0) return yield* Effect.never
  const everyMs = Math.min(lookEveryMs, Math.max(50, Math.floor(delayMs / 4)))
  const lost = new LostBrokers(yield* Effect.clock, delayMs, everyMs)
  const said = new Map<BrokerId, Said>()
  let looked: { readonly state: Cluster; readonly due: number } | undefined
  /** Returns whether a broker is lost: without one there is nothing to look for until an event says so. */
  const look = Effect.gen(function* () {
    const state = writer.state()
    const due = lost.look(state)
    // Nothing changed: a walk over all partitions would find the same.
    if (looked?.state === state && looked.due === due.length) return lost.hasAny
    looked = { state, due: due.length }
    for (const id of said.keys()) if (!due.includes(id)) yield* end(id)
    for (const id of due) {
      const [next, left] = yield* replace(id)
      if (said.get(id) === next) continue
      said.set(id, next)
      yield* Effect.logWarning(lineOf(next, nameOf(writer.state(), id), left))
    }
    return lost.hasAny
  })
  /** The broker has no partition any more, or serves again. */
  const end = (id: BrokerId) => {
    const name = nameOf(writer.state(), id)
    const isBack = brokerOf(writer.state(), id)?.fenced === false
    said.delete(id)
    return Effect.logInfo(isBack ? `${name} serves again: it keeps the replicas that were not moved` : `${name} is replaced: other brokers have its replicas`)
  }
  const watch = new Watch()
  const stop = writer.onChange(watch.wake)
  return yield* Effect.ensuring(watch.repeat(everyMs, look), Effect.sync(stop))
})
