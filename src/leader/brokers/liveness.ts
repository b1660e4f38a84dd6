import { Effect, Either, LogLevel, Schedule } from "effect"
import { idleBrokerMs } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import type { Broker } from "../../../domain/cluster/state.ts"
import type { CommandIdFactory } from "../../stream/command-ids.ts"
import type { ClusterWriter } from "../journal/cluster-aggregate.ts"
import type { Brokers } from "./brokers.ts"

/** Gives the same kind of command about several brokers; returns the brokers that it changed. */
const giveAll = (writer: ClusterWriter, commandIds: CommandIdFactory, brokers: ReadonlyArray<Broker>, cause: string, command: (broker: Broker) => Command) =>
  Effect.gen(function* () {
    if (brokers.length === 0) return []
    const outcomes = yield* writer.submitAll(brokers.map((broker) => ({ command: command(broker), commandId: commandIds.own(), actor: "leader", cause })))
    return brokers.filter((_, at) => {
      const outcome = outcomes[at]
      return outcome !== undefined && Either.isRight(outcome) && outcome.right.events.length > 0
    })
  })

const fenceSilent = (writer: ClusterWriter, { changes, sessions }: Brokers, commandIds: CommandIdFactory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const silent = sessions.expired(writer.state())
    const fence = ({ epoch, id }: Broker) => Command.FenceBroker({ brokerId: id, brokerEpoch: epoch })
    for (const { host, id, port } of yield* giveAll(writer, commandIds, silent, "session timeout", fence)) {
      const name = `broker ${id} at ${host}:${port}`
      yield* changes.log(LogLevel.Warning, name, `${name} is silent: fenced, its partitions have no leader until it registers again`)
    }
  })

const forgetIdle = (writer: ClusterWriter, { links, sessions }: Brokers, commandIds: CommandIdFactory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const idle = sessions.forgettable(writer.state()).filter(({ id }) => !links.isConnected(id))
    const forget = ({ epoch, id }: Broker) => Command.ForgetBroker({ brokerId: id, brokerEpoch: epoch })
    const gone = yield* giveAll(writer, commandIds, idle, "idle registration", forget)
    if (gone.length > 0)
      yield* Effect.logInfo(
        `removed ${gone.length} registrations of brokers without partitions that sent no heartbeat for ${idleBrokerMs / 60_000} minutes: ${shown(gone)}`
      )
  })

/** Ids that a line names. */
const shownMax = 10
const shown = (brokers: ReadonlyArray<Broker>): string =>
  `${brokers
    .slice(0, shownMax)
    .map(({ id }) => id)
    .join(", ")}${brokers.length > shownMax ? " …" : ""}`

/** How often the changes of brokers that were not logged are summed up, ms. */
const summaryEveryMs = 60_000

/** Fences brokers whose session is over, and removes idle registrations, for as long as it runs. */
export const watch = (writer: ClusterWriter, brokers: Brokers, commandIds: CommandIdFactory): Effect.Effect<never> => {
  const look = Effect.zipRight(fenceSilent(writer, brokers, commandIds), forgetIdle(writer, brokers, commandIds))
  const summarize = Effect.zipRight(brokers.changes.logSummaries(LogLevel.Warning), brokers.refusals.logSummaries(LogLevel.Warning))
  const both = Effect.zip(Effect.schedule(look, Schedule.spaced(brokers.sessions.lookEveryMs)), Effect.schedule(summarize, Schedule.spaced(summaryEveryMs)), {
    concurrent: true
  })
  return Effect.zipRight(both, Effect.never)
}
