import { Effect, LogLevel } from "effect"
import { idleBrokerMs } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import type { Broker } from "../../../domain/cluster/state.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderBrokers } from "./brokers.ts"
import { afterFencing, fenceAll, giveAll, type Watching } from "./fencing.ts"

const fenceSilent: Effect.Effect<void, never, Watching> = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const { changes, sessions } = yield* LeaderBrokers
  const silent = sessions.expired(writer.state())
  for (const { host, id, port } of yield* fenceAll(silent, "session timeout")) {
    const name = `broker ${id} at ${host}:${port}`
    yield* changes.log(LogLevel.Warning, name, `${name} is silent: fenced. ${afterFencing}`)
  }
})

const forgetIdle: Effect.Effect<void, never, Watching> = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const { links, sessions } = yield* LeaderBrokers
  const idle = sessions.forgettable(writer.state()).filter(({ id }) => !links.isConnected(id))
  const forget = ({ epoch, id }: Broker) => Command.ForgetBroker({ brokerId: id, brokerEpoch: epoch })
  const gone = yield* giveAll(idle, "idle registration", forget)
  if (gone.length > 0)
    yield* Effect.logInfo(
      `removed ${gone.length} ${gone.length === 1 ? "registration" : "registrations"} of brokers without partitions that sent no heartbeat for ${idleBrokerMs / 60_000} minutes: ${shown(gone)}`
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
export const watch: Effect.Effect<never, never, Watching> = Effect.gen(function* () {
  const { changes, refusals, sessions } = yield* LeaderBrokers
  const looking = Effect.forever(Effect.suspend(() => Effect.delay(Effect.zipRight(fenceSilent, forgetIdle), sessions.nextLookMs)))
  const summarize = Effect.zipRight(changes.logSummaries(LogLevel.Warning), refusals.logSummaries(LogLevel.Warning))
  return yield* Effect.zipRight(Effect.forever(Effect.delay(summarize, summaryEveryMs)), looking, { concurrent: true })
})
