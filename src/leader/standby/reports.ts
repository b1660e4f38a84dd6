import { Data, Effect, type Scope } from "effect"
import type { NamedEndpoint } from "../../../domain/kernel/config/listener.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { formatAddress, Transport } from "../../ports/transport.ts"
import { ControllerRegistration } from "../../protocol/message/70-controller-registration.ts"
import { drawUuid } from "../../stream/uuid.ts"
import { connect, type Link } from "../../wire/link.ts"
import type { ClusterStandby } from "../journal/cluster-aggregate.ts"

/** How often a candidate reports to the leader, ms. */
const reportEveryMs = 1000
/** The pause after a report that failed, ms. */
const againMs = 500
const bounds = { connectTimeoutMs: 3000, requestTimeoutMs: 5000, responseBytesMax: 16_777_216, inFlightRequestsMax: 100 }
const plaintext = 0

/** The leader takes no reports: it leads no more, or this process has its id. */
class NotReported extends Data.TaggedError("NotReported")<{ readonly message: string }> {}

/** What a candidate says of itself. */
interface Self {
  readonly nodeId: number
  readonly listeners: ReadonlyArray<NamedEndpoint>
  /** Called whenever the leader has taken a report. */
  readonly reported: Effect.Effect<void>
}

/** Reports to the leader that the journal names, until the scope closes. Returns the link to it; undefined while there is none. */
export const reporting = (
  standby: Pick<ClusterStandby, "state" | "end">,
  { listeners, nodeId, reported }: Self
): Effect.Effect<() => Link | undefined, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const incarnationId = yield* drawUuid
    let open: Link | undefined
    const report = (link: Link) =>
      Effect.flatMap(
        link.call(ControllerRegistration, {
          controllerId: nodeId,
          incarnationId,
          zkMigrationReady: false,
          listeners: listeners.map(({ host, name, port }) => ({ name, host, port, securityProtocol: plaintext })),
          features: [],
          logEndOffset: BigInt(standby.end())
        }),
        ({ errorCode, errorMessage }) => {
          open = errorCode === 0 ? link : undefined
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
        Effect.flatMap(connect(leader, { clientId: `candidate-${nodeId}`, ...bounds }), (link) =>
          Effect.repeat(Effect.zipLeft(report(link), Effect.sleep(reportEveryMs)), { while: isCurrent })
        )
      )
    }).pipe(
      Effect.ensuring(Effect.sync(() => (open = undefined))),
      Effect.catchAll(({ message }) => Effect.logDebug(`The candidate ${nodeId} does not reach the leader: ${message}`))
    )
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(session, Effect.sleep(againMs))))
    return () => open
  })
