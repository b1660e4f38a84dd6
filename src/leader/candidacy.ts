import { Effect, Exit, Scope } from "effect"
import type { Event } from "../../domain/cluster/event.ts"
import { type Cluster, initial } from "../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../domain/kernel/config/listener.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import type { Compression } from "../ports/compression.ts"
import type { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import { metricsText } from "../ports/metrics.ts"
import type { Transport } from "../ports/transport.ts"
import type { UnreadableEvent } from "../stream/fault.ts"
import { WriterStopped } from "../stream/fault.ts"
import { standBy } from "../stream/standby.ts"
import type { Route } from "../wire/route.ts"
import { type ClusterStandby, clusterAggregate, clusterStream } from "./journal/cluster-aggregate.ts"
import type { Leader } from "./leader.ts"
import type { LeaderOptions } from "./settings.ts"
import { reporting } from "./standby/reports.ts"
import { standbyRoutes } from "./standby/standby-routes.ts"

/** What a candidate is at a time. */
export interface CandidateRole {
  readonly nodeId: BrokerId
  readonly cluster: () => Cluster
  readonly routes: ReadonlyArray<Route>
  readonly isLeading: boolean
}

interface Candidacy<E, R> {
  readonly options: LeaderOptions
  /** Where this process is reached; the first is the one that the leader journals. */
  readonly listeners: readonly [NamedEndpoint, ...ReadonlyArray<NamedEndpoint>]
  /** Serves the role from now on. Connections of a role that is over close. */
  readonly become: (role: CandidateRole) => void
  /** Called when there is a leader: this process, or one that takes its reports. Again and again. */
  readonly ready: Effect.Effect<void>
  /** Waits until this process leads, and leads until the scope closes. */
  readonly lead: (standby: ClusterStandby) => Effect.Effect<Omit<Leader["Type"], "stopped"> & { readonly stopped: Effect.Effect<never, E> }, E, R | Scope.Scope>
}

/** Stands by in a scope of its own, whose reports to the leader end when this process leads. */
const standingBy = ({ become, listeners, options, ready }: Pick<Candidacy<never, never>, "become" | "listeners" | "options" | "ready">) =>
  Effect.gen(function* () {
    const { nodeId } = options
    const standby: ClusterStandby = yield* standBy<Cluster, Event, Rejection>(clusterStream, clusterAggregate)
    const { gone, leader } = yield* reporting(standby, { nodeId, listeners, reported: ready, responseBytesMax: options.config["socket.request.max.bytes"] })
    const routes = yield* standbyRoutes({ options, cluster: standby.state, leader, metrics: yield* metricsText })
    become({ nodeId, cluster: standby.state, routes, isLeading: false })
    return { standby, gone }
  })

/** What the process serves after it has led, until it stands by again: that waits for the journal. */
interface Between {
  /** It is the candidate's last role that leads. */
  readonly led: (role: Pick<CandidateRole, "cluster">) => void
  readonly routes: ReadonlyArray<Route>
}

const makeBetween = (options: LeaderOptions) =>
  Effect.gen(function* () {
    let last = (): Cluster => initial
    const routes = yield* standbyRoutes({ options, cluster: () => last(), leader: () => undefined, metrics: yield* metricsText })
    const led: Between["led"] = ({ cluster }) => void (last = cluster)
    return { led, routes }
  })

/** Stands by, leads when it has won, and returns why it leads no more. */
const term = <E, R>(candidacy: Candidacy<E, R>, between: Between) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { become, lead, listeners, ready } = candidacy
      const waiting = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const { gone, standby } = yield* Scope.extend(standingBy(candidacy), waiting)
      const leader = yield* lead({ ...standby, gone })
      const role = { nodeId: leader.nodeId, cluster: leader.cluster }
      become({ ...role, routes: leader.routes, isLeading: true })
      between.led(role)
      // Requests that wait are let go of at once; what this leader holds in the engine is given up afterwards.
      const end = Effect.sync(() => become({ ...role, routes: between.routes, isLeading: false }))
      yield* Scope.close(waiting, Exit.void)
      const elected = Effect.zipRight(leader.elect(listeners[0]), ready)
      return yield* Effect.tapError(Effect.raceFirst(Effect.zipRight(elected, leader.stopped), leader.stopped), () => end)
    })
  )

/** How long a candidate whose journal took no event waits before it tries to lead again, by how often that happened in a row, ms. */
const unwrittenPauseMs = (times: number): number => Math.min(500 * 2 ** times, 10_000)

/**
 * The life of a candidate: it stands by, leads when the journal's engine lets it, stops when its lease is over, another leads or the journal
 * does not take the event that it leads, and stands by again. Fails with any other fault.
 */
export const beCandidate = <E extends { readonly message: string }, R>(
  candidacy: Candidacy<E, R>
): Effect.Effect<never, E | WriterStopped | LogFault | UnreadableEvent, Exclude<R, Scope.Scope> | Journal | Compression | Transport> => {
  let unwritten = 0
  /** Returns when the candidate may stand by again. */
  const afterwards = (fault: E | WriterStopped | LogFault | UnreadableEvent) =>
    Effect.gen(function* () {
      if (!(fault instanceof WriterStopped) || (fault.reason !== "fenced" && fault.reason !== "unwritten")) return yield* Effect.fail(fault)
      if (fault.reason === "fenced") {
        unwritten = 0
        return yield* Effect.logWarning(fault.message)
      }
      const pauseMs = unwrittenPauseMs(unwritten++)
      yield* Effect.logWarning(`${fault.message} This node gives up the lead, and tries again in ${pauseMs / 1000} s.`)
      yield* Effect.sleep(pauseMs)
    })
  return Effect.scoped(
    Effect.flatMap(makeBetween(candidacy.options), (between) => Effect.forever(Effect.flatMap(Effect.flip(term(candidacy, between)), afterwards)))
  )
}
