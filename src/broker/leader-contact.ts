import { Context, Effect, Schedule, type Scope } from "effect"
import { type Address, type ConnectFault, formatAddress, Transport } from "../ports/transport.ts"
import type { CallFault } from "../wire/fault.ts"
import { connect, type Link } from "../wire/link.ts"
import { BrokerIdentity } from "./broker-identity.ts"
import { BrokerSettings } from "./broker-settings.ts"
import type { BrokerFault, LeaderRefused } from "./fault.ts"
import { askCandidate, confirmLeader, NotLeading } from "./leader-inquiry.ts"
import { LeaderPointer } from "./leader-pointer.ts"
import { responseTimeoutMs } from "./response-timeout.ts"

type LinkFault = ConnectFault | CallFault | NotLeading
type ContactFault = LinkFault | LeaderRefused

/** Connects this broker to its leader. */
export class LeaderContact extends Context.Tag("comanche-franz/broker/LeaderContact")<
  LeaderContact,
  {
    /** The candidate that this broker takes for the leader: one that has shown that it leads, or the next one to ask. */
    readonly leader: () => Address
    /** Notes the epoch of a leader, by an event of its journal: no leader of an older epoch is followed any more. */
    readonly learn: (epoch: number) => void
    /** Whether there are several candidates. */
    readonly hasCandidates: boolean
    /** How long the broker waits for a response that the leader sends at once, ms. */
    readonly responseTimeoutMs: number
    /**
     * Opens a connection until the scope closes, and identifies the broker on it, so that the leader accepts the
     * requests that only a broker may send. `purpose` is part of the client id, which the leader logs.
     */
    readonly openAsBroker: (purpose: string) => Effect.Effect<Link, ContactFault, Scope.Scope>
    /**
     * Identifies the broker on `link` if it has registered already: the leader does not count a broker's connection in
     * its limits.
     */
    readonly introduce: (link: Link) => Effect.Effect<void, CallFault>
    /**
     * Runs `use` on a connection, and repeats it on a new one whenever it fails. Ends by interruption or with a
     * BrokerFault of `use`.
     */
    readonly keep: (purpose: string, use: (link: Link) => Effect.Effect<never, ContactFault | BrokerFault>) => Effect.Effect<never, BrokerFault>
  }
>() {
  static readonly make: Effect.Effect<LeaderContact["Type"], never, BrokerSettings | BrokerIdentity | Transport | Scope.Scope> = Effect.gen(function* () {
    const { config, leader: first, nodeId, otherLeaders = [] } = yield* BrokerSettings
    const pointer = new LeaderPointer([first, ...otherLeaders])
    const hasCandidates = otherLeaders.length > 0
    const { identify } = yield* BrokerIdentity
    const transport = yield* Transport
    const bounds = { connectTimeoutMs, requestTimeoutMs, responseBytesMax: config["socket.request.max.bytes"], inFlightRequestsMax }
    const connected = (to: Address, purpose: string) =>
      Effect.provideService(connect(to, { clientId: `broker-${nodeId}-${purpose}`, ...bounds }), Transport, transport)
    /** A link to a candidate that has shown that it leads. */
    const opened = (to: Address, purpose: string): Effect.Effect<Link, LinkFault, Scope.Scope> =>
      Effect.gen(function* () {
        const link = yield* connected(to, purpose)
        yield* Effect.acquireRelease(
          Effect.sync(() => pointer.add(link, purpose === promptPurpose)),
          (forget) => Effect.sync(forget)
        )
        if (hasCandidates) yield* confirmLeader(link, pointer)
        return link
      })
    const open = (purpose: string) =>
      Effect.suspend(() => {
        const to = pointer.current
        // A candidate whose process is stopped accepts connections, and answers nothing.
        if (!hasCandidates) return opened(to, purpose)
        const bounded = Effect.timeoutFail(opened(to, purpose), { duration: openMsMax, onTimeout: () => silent(to) })
        return Effect.tapError(Effect.raceFirst(bounded, movedFrom(pointer, to)), (fault) => Effect.sync(() => leaveAfter(fault, pointer, to)))
      })
    const shared: Shared = { log: reachability(pointer), backoff: backoffTo(hasCandidates ? nextCandidateMs : retryMsMax) }
    if (hasCandidates) for (const each of pointer.candidates) yield* Effect.forkScoped(watching(pointer, each, connected(each, "inquiry")))
    return {
      leader: () => pointer.current,
      learn: (epoch) => pointer.learn(epoch),
      hasCandidates,
      responseTimeoutMs: responseTimeoutMs(config),
      openAsBroker: (purpose) => Effect.tap(open(purpose), identify),
      introduce: (link) => Effect.catchTag(identify(link), "LeaderRefused", () => Effect.void),
      keep: (purpose, use) => repeated(open(purpose), shared, use)
    }
  })
}

const connectTimeoutMs = 3000
/** The leader may have to write to its journal before it responds. */
const requestTimeoutMs = 10_000
/** Requests of this broker in flight on one connection. */
const inFlightRequestsMax = 1000
/**
 * The pause between two attempts: it doubles from the minimum to the maximum, with jitter so that brokers do not
 * reconnect all at once.
 */
const retryMsMin = 50
const retryMsMax = 2000
const jitter = { min: 0.5, max: 1 }
const backoffTo = (msMax: number) => Schedule.exponential(retryMsMin).pipe(Schedule.union(Schedule.spaced(msMax)), Schedule.jitteredWith(jitter))
/** The maximum where there are several candidates, which are asked in turn. */
const nextCandidateMs = 250
/** How long a candidate may take to show that it leads, with its connection, ms. */
const openMsMax = 10_000
/** How often each candidate is asked who leads while the leader is in doubt, and how long it may take to answer, ms. */
const inquiryEveryMs = 250
const inquiryMsMax = 3000
/** The connection on which the leader answers each request at once: that of the heartbeats. */
const promptPurpose = "registration"
const afterLoss = Schedule.spaced(retryMsMin).pipe(Schedule.jitteredWith(jitter))

const silent = (at: Address): NotLeading => new NotLeading({ reason: "silent", message: `The node at ${formatAddress(at)} does not answer.` })

/** Fails when the broker takes another candidate for the leader. */
const movedFrom = (pointer: LeaderPointer, from: Address): Effect.Effect<never, NotLeading> =>
  Effect.async((resume) => {
    const stop = pointer.onMove(() => {
      stop()
      resume(Effect.fail(new NotLeading({ reason: "moved", message: `The node at ${formatAddress(from)} had not answered when another was found to lead.` })))
    })
    return Effect.sync(stop)
  })

/** A slow answer alone is no reason to leave a leader that answers heartbeats. */
const leaveAfter = (fault: LinkFault, pointer: LeaderPointer, from: Address): void => {
  const reason = fault._tag === "NotLeading" ? fault.reason : undefined
  if (reason !== "moved" && (reason !== "silent" || pointer.isInDoubt)) pointer.leave(from)
}

/** Asks a candidate who leads, again and again while the leader is in doubt. */
const watching = (pointer: LeaderPointer, candidate: Address, open: Effect.Effect<Link, LinkFault, Scope.Scope>): Effect.Effect<never> => {
  const inquiry = Effect.scoped(Effect.flatMap(open, (link) => askCandidate(link, pointer))).pipe(Effect.timeoutOption(inquiryMsMax), Effect.ignore)
  // The current one has its connections already.
  const isDue = () => pointer.isInDoubt && !(pointer.isConfirmed && formatAddress(pointer.current) === formatAddress(candidate))
  return Effect.forever(
    Effect.zipRight(
      Effect.suspend(() => (isDue() ? inquiry : Effect.void)),
      Effect.sleep(inquiryEveryMs)
    )
  )
}

/** Logs one line when the leader is unreachable, and one when the broker has reconnected, whatever the number of connections. */
interface Reachability {
  readonly reached: Effect.Effect<void>
  readonly lost: (fault: LinkFault) => Effect.Effect<void>
}

const reachability = (pointer: LeaderPointer): Reachability => {
  let isReached: boolean | undefined
  let lastOlder: string | undefined
  const lost = (fault: LinkFault): Effect.Effect<void> => {
    if (fault._tag === "NotLeading" && fault.reason === "moved") return Effect.void
    const before = isReached
    isReached = false
    if (fault._tag === "NotLeading" && fault.reason === "older" && lastOlder !== fault.message) {
      lastOlder = fault.message
      return Effect.logWarning(fault.message)
    }
    if (before === false) return Effect.void
    return Effect.logWarning(
      before === undefined
        ? `Waiting for the leader at ${pointer.addresses}: ${fault.message}`
        : `The connection to the leader at ${pointer.addresses} is lost; reconnecting: ${fault.message}`
    )
  }
  const reached = Effect.suspend(() => {
    const before = isReached
    isReached = true
    const line = `Connected to the leader at ${formatAddress(pointer.current)}.`
    // At level INFO only if the loss was logged before.
    return before === true ? Effect.void : before === false ? Effect.logInfo(line) : Effect.logDebug(line)
  })
  return { reached, lost: (fault) => Effect.suspend(() => lost(fault)) }
}

/** The parts of a broker's contact that its connections share. */
interface Shared {
  readonly log: Reachability
  readonly backoff: ReturnType<typeof backoffTo>
}

const repeated = (
  open: Effect.Effect<Link, LinkFault, Scope.Scope>,
  { backoff, log }: Shared,
  use: (link: Link) => Effect.Effect<never, ContactFault | BrokerFault>
): Effect.Effect<never, BrokerFault> =>
  Effect.suspend(() => {
    let wasOpen = false
    let lastRefusal: string | undefined
    const logFault = (fault: ContactFault): Effect.Effect<void> => {
      if (fault._tag !== "LeaderRefused") return log.lost(fault)
      if (lastRefusal === fault.message) return Effect.void
      lastRefusal = fault.message
      return Effect.logWarning(fault.message)
    }
    const used = (link: Link) => {
      wasOpen = true
      return Effect.zipRight(log.reached, use(link))
    }
    const attempt = Effect.suspend(() => {
      wasOpen = false
      // A candidate that refuses is asked on the next connection whether it leads.
      return Effect.scoped(Effect.flatMap(open, used))
    }).pipe(
      // Only a fault of the broker ends the attempts, so that it is their result.
      Effect.catchTag("BrokerFault", (fault) => Effect.succeed(fault)),
      Effect.tapError(logFault)
    )
    // The loss of an open connection resets the pause to its minimum. A refusal does not, since the leader may repeat
    // it for long.
    const untilLost = Effect.retry(attempt, { schedule: backoff, while: ({ _tag }) => !wasOpen || _tag === "LeaderRefused" })
    return Effect.retry(untilLost, afterLoss).pipe(Effect.orDie, Effect.flatMap(Effect.fail))
  })
