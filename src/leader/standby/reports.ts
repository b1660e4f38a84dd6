import { Data, Effect, type Scope } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../../domain/kernel/config/listener.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Epoch } from "../../../domain/kernel/id.ts"
import { StreamReaders } from "../../ports/stream-readers.ts"
import { type Address, formatAddress, Transport } from "../../ports/transport.ts"
import { ControllerRegistration } from "../../protocol/message/70-controller-registration.ts"
import { drawUuid } from "../../stream/uuid.ts"
import { connect, type Link } from "../../wire/link.ts"
import { isRefused } from "../brokers/probing.ts"
import type { ClusterStandby } from "../journal/cluster-aggregate.ts"

/** How often a candidate reports to the leader, ms. */
const reportEveryMs = 1000
/** The pause after a report that failed, ms. */
const againMs = 500
/** The pause between two connections that are refused, ms: a process that starts again at its address does not listen at once. */
const lookAgainMs = 250
const bounds = { connectTimeoutMs: 3000, requestTimeoutMs: 5000, inFlightRequestsMax: 100 }
const plaintext = 0

/** The leader takes no reports: it leads no more, or this process has its id. */
class NotReported extends Data.TaggedError("NotReported")<{ readonly message: string }> {}

/** What a candidate says of itself. */
interface Self {
  readonly nodeId: number
  readonly listeners: ReadonlyArray<NamedEndpoint>
  /** Bytes of a response of the leader, at most. */
  readonly responseBytesMax: number
  /** Called whenever the leader has taken a report. */
  readonly reported: Effect.Effect<void>
}

/** What a candidate knows of the leader by its reports. */
interface Reports {
  /** The link to the leader; undefined while there is none. */
  readonly leader: () => Link | undefined
  /**
   * Waits until the process that leads under this epoch has ended: it took a report, and then two connections to its address
   * were refused one after the other. One that never took a report may be where this candidate does not reach it.
   */
  readonly gone: (epoch: Epoch) => Effect.Effect<void>
}

/** Whether two connections to a leader's address are refused one after the other. */
const hasEnded = (address: Address): Effect.Effect<boolean, never, Transport> =>
  Effect.flatMap(isRefused(address), (refused) => (refused ? Effect.zipRight(Effect.sleep(lookAgainMs), isRefused(address)) : Effect.succeed(false)))

/** The request by which a candidate reports. */
const reportOf = ({ listeners, nodeId }: Pick<Self, "listeners" | "nodeId">, incarnationId: string, end: number) => ({
  controllerId: nodeId,
  incarnationId,
  zkMigrationReady: false,
  listeners: listeners.map(({ host, name, port }) => ({ name, host, port, securityProtocol: plaintext })),
  features: [],
  logEndOffset: BigInt(end)
})

/** Reports to the leader that the journal names, until the scope closes. */
export const reporting = (standby: Pick<ClusterStandby, "state" | "end">, self: Self): Effect.Effect<Reports, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const { nodeId, reported, responseBytesMax } = self
    const incarnationId = yield* drawUuid
    const looks = new StreamReaders()
    let open: Link | undefined
    /** The leader that took the last report, and the epoch of the one that has ended. */
    let reached: Cluster["leader"]
    let ended: Epoch | undefined
    const report = (link: Link, leader: Cluster["leader"]) =>
      Effect.flatMap(
        // It does not wait for the requests of clients that the link relays.
        link.call(ControllerRegistration, reportOf(self, incarnationId, standby.end()), { urgent: true }),
        ({ errorCode, errorMessage }) => {
          open = errorCode === 0 ? link : undefined
          if (errorCode === 0) reached = leader
          return errorCode === 0
            ? reported
            : Effect.fail(new NotReported({ message: `${formatAddress(link.address)} answers ${kafkaError(errorCode)}: ${errorMessage ?? ""}` }))
        }
      )
    const session = Effect.suspend(() => {
      const { leader } = standby.state()
      if (leader === undefined || leader.nodeId === nodeId) return Effect.void
      const isCurrent = () => standby.state().leader === leader
      return Effect.scoped(
        Effect.flatMap(connect(leader, { clientId: `candidate-${nodeId}`, responseBytesMax, ...bounds }), (link) =>
          Effect.raceFirst(Effect.repeat(Effect.zipLeft(report(link, leader), Effect.sleep(reportEveryMs)), { while: isCurrent }), link.closed)
        )
      )
    }).pipe(
      Effect.ensuring(Effect.sync(() => (open = undefined))),
      Effect.catchAll(({ message }) => Effect.logDebug(`The candidate ${nodeId} does not reach the leader: ${message}`))
    )
    const look = Effect.gen(function* () {
      const { leader } = standby.state()
      if (leader !== undefined && leader === reached && (yield* hasEnded(leader)) && standby.state().leader === leader) {
        ended = leader.epoch
        looks.wake()
      }
      yield* Effect.sleep(againMs)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(session, look)))
    return { leader: () => open, gone: (epoch) => looks.until(() => ended === epoch) }
  })
