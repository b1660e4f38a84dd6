import { Effect, Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import type { Broker } from "../../../domain/cluster/state.ts"
import { CommandIds } from "../../stream/command-ids.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import type { LeaderBrokers } from "./brokers.ts"

/** What the leader watches over its brokers with. */
export type Watching = ClusterStream | LeaderBrokers | CommandIds

/** Gives the same kind of command about several brokers; returns the brokers that it changed. */
export const giveAll = (brokers: ReadonlyArray<Broker>, cause: string, command: (broker: Broker) => Command) =>
  Effect.gen(function* () {
    if (brokers.length === 0) return []
    const { writer } = yield* ClusterStream
    const commandIds = yield* CommandIds
    const outcomes = yield* writer.submitAll(brokers.map((broker) => ({ command: command(broker), commandId: commandIds.own(), actor: "leader", cause })))
    return brokers.filter((_, at) => {
      const outcome = outcomes[at]
      return outcome !== undefined && Either.isRight(outcome) && outcome.right.events.length > 0
    })
  })

/** What the log tells the operator of a broker that was fenced. */
export const afterFencing = "Other in-sync replicas lead its partitions; those without one have no leader until it registers again."

/** Fences brokers, each with the epoch under which it was found missing. Returns those that were not fenced before. */
export const fenceAll = (brokers: ReadonlyArray<Broker>, cause: string) =>
  giveAll(brokers, cause, ({ epoch, id }) => Command.FenceBroker({ brokerId: id, brokerEpoch: epoch }))
