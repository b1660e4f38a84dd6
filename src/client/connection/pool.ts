import { Deferred, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { type Address, formatAddress, Transport } from "../../ports/transport.ts"
import { ListOffsets } from "../../protocol/message/02-list-offsets.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import { FindCoordinator } from "../../protocol/message/10-find-coordinator.ts"
import { Heartbeat } from "../../protocol/message/12-heartbeat.ts"
import { DescribeGroups } from "../../protocol/message/15-describe-groups.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import { DescribeConfigs } from "../../protocol/message/32-describe-configs.ts"
import { DescribeCluster } from "../../protocol/message/60-describe-cluster.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { CallFault } from "../../wire/fault.ts"
import { connect, type Link } from "../../wire/link.ts"
import { AnswerTooLarge, type CallError, NotReachable, RequestTimedOut, UnsupportedByCluster } from "../error.ts"
import type { Connecting } from "../options.ts"
import type { Dice } from "../runtime/dice.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import { retryDelayMs } from "../runtime/retry.ts"
import { defectOf, inScope, reportDefect } from "../runtime/supervision.ts"

/** Requests of one connection are answered in order, so what may wait for long has a connection of its own: fetches, and the joins of a group. */
export type Lane = "main" | "fetch" | "group"

export interface CallOptions {
  readonly lane?: Lane
  /** How long the answer may take. Default: the options' `attemptTimeoutMs`. */
  readonly timeoutMs?: number
  /** The call times out earlier when nothing at all has come from the node for this long. */
  readonly silenceMs?: number
  /** The highest version to use, where a later one would need other fields. */
  readonly versionMax?: number
  /** The lowest version that holds what the request says; a cluster below it gives UnsupportedByCluster. */
  readonly versionMin?: number
  readonly tags?: ReadonlyArray<{ readonly tag: number; readonly data: Uint8Array }>
}

/** Requests on one connection that are sent and not answered; the producer keeps to five of its own. */
const inFlightRequestsMax = 32

/** A caller that leaves after the node was silent for this long has met a connection that may be half-open: the next call opens another, ms. */
const suspiciousMs = 1000

/** Questions that take a node no time and change nothing: they are asked again elsewhere after a silence of this length, ms. */
const silentMs = 3000
const quick: ReadonlySet<number> = new Set(
  [ListOffsets, Metadata, OffsetFetch, FindCoordinator, Heartbeat, DescribeGroups, ListGroups, ApiVersions, DescribeConfigs, DescribeCluster].map(
    ({ key }) => key
  )
)

/** What was opened for one address and lane. */
interface Slot {
  link: Link | undefined
  /** A caller has left without an answer. Until something comes the link serves no new calls. */
  suspect: boolean
  opening: Deferred.Deferred<Link, NotReachable> | undefined
  failures: number
  /** No attempt before this moment, ms. */
  notBefore: number
}

/** A call's fault in the client's words. */
export const callError = (fault: CallFault, what: string, address: Address, { responseBytesMax }: Pick<Connecting, "responseBytesMax">): CallError => {
  switch (fault._tag) {
    case "CallTimeout":
      return new RequestTimedOut({ what, timeoutMs: fault.timeoutMs, reason: `no answer from ${formatAddress(address)}.` })
    case "UnsupportedByPeer":
      return new UnsupportedByCluster({ what })
    case "ConnectionLost":
      if (fault.answerBytes !== undefined)
        return new AnswerTooLarge({ address: formatAddress(address), what, sizeBytes: fault.answerBytes, bytesMax: responseBytesMax })
      return new NotReachable({ addresses: [formatAddress(address)], reason: fault.message })
    default:
      return new NotReachable({ addresses: [formatAddress(address)], reason: fault.message })
  }
}

/** The open connections of one client, made when they are first needed: one for each address and lane. */
export class Pool {
  private readonly slots = new Map<string, Slot>()
  /** How often in a row each node has not answered. */
  private readonly silences = new Map<string, number>()

  constructor(
    private readonly options: Connecting,
    private readonly dice: Dice,
    private readonly transport: Transport["Type"],
    /** The connections live in it. */
    private readonly scope: Scope.Scope
  ) {}

  /** The connection if it is open, and not suspected to be half-open. Plain code, for the producer's sender. */
  ready(address: Address, lane: Lane): Link | undefined {
    const slot = this.slots.get(keyOf(address, lane))
    const open = slot?.link
    if (slot === undefined || open?.isOpen() !== true) return undefined
    if (slot.suspect && open.silentMs() >= suspiciousMs) return undefined
    slot.suspect = false
    return open
  }

  /**
   * A node did not answer on one connection. Its other connections lead to the same place: those that are silent are closed, so that their users need not find out one after
   * another. Connections that are idle are closed whatever node they lead to: what made one half-open may have made all (an address translator that forgot them), and to open
   * one again costs little. Without an address: those alone.
   */
  private doubt(address: Address | undefined): void {
    const node = address === undefined ? "" : formatAddress(address)
    for (const { link } of this.slots.values()) {
      if (link?.isOpen() !== true) continue
      const silentMs = link.silentMs()
      const isIdle = link.inFlight() === 0
      if (isIdle || (silentMs >= suspiciousMs && formatAddress(link.address) === node)) link.abandon("a node did not answer on another connection")
    }
  }

  /** An open connection; callers that come while it is being opened share it. After a failure the next attempt waits a little longer each time. */
  link(address: Address, lane: Lane): Effect.Effect<Link, NotReachable> {
    return Effect.suspend(() => {
      const open = this.ready(address, lane)
      if (open !== undefined) return Effect.succeed(open)
      const slot = this.slotOf(address, lane)
      if (slot.opening !== undefined) return Deferred.await(slot.opening)
      return Effect.gen(this, function* () {
        const opening = yield* Deferred.make<Link, NotReachable>()
        slot.opening = opening
        // In the pool's scope: a caller that gives up must not take the connection from the others that wait for it.
        yield* inScope(this.attempt(address, lane, slot, opening), this.scope)
        return yield* Deferred.await(opening)
      })
    })
  }

  /** One call. Without a connection there is an attempt to open one. */
  call<A extends AnyApi>(address: Address, api: A, request: RequestDraft<A>, how: CallOptions = {}): Effect.Effect<ResponseOf<A>, CallError> {
    return Effect.flatMap(this.link(address, how.lane ?? "main"), (open) => {
      const highest = open.versionOf(api)
      if (highest === undefined) return Effect.fail(new UnsupportedByCluster({ what: api.name }))
      const version = Math.min(highest, how.versionMax ?? highest)
      if (version < (how.versionMin ?? 0)) return Effect.fail(new UnsupportedByCluster({ what: `version ${how.versionMin} of ${api.name}` }))
      const silenceMs = how.silenceMs ?? this.silenceOf(address, api)
      const options = {
        version,
        timeoutMs: how.timeoutMs ?? this.options.attemptTimeoutMs,
        ...(silenceMs === undefined ? {} : { silenceMs }),
        ...(how.tags === undefined || version < api.flexible ? {} : { tags: how.tags })
      }
      const lane = how.lane ?? "main"
      const answered = open.call(api, request, options)
      const heard = this.silences.size === 0 ? answered : Effect.tap(answered, () => this.silences.delete(formatAddress(address)))
      const called = Effect.mapError(heard, (fault) => {
        if (fault._tag === "CallTimeout") this.silent(address)
        return callError(fault, api.name, address, this.options)
      })
      // Fetches end by themselves: nothing interrupts them but the end of the consumer.
      return lane === "fetch" ? called : Effect.onInterrupt(called, () => Effect.sync(() => this.suspect(address, lane, open)))
    })
  }
  private silent(address: Address): void {
    const node = formatAddress(address)
    this.silences.set(node, Math.min(8, (this.silences.get(node) ?? 0) + 1))
    this.doubt(address)
  }
  /** How long a node may say nothing to a question that takes it no time, ms. Longer for a node that was silent before: it may be busy. */
  private silenceOf(address: Address, api: AnyApi): number | undefined {
    return quick.has(api.key) ? silentMs * 2 ** (this.silences.get(formatAddress(address)) ?? 0) : undefined
  }

  /** A caller has left before the answer came: impatience, or a half-open connection. */
  private suspect(address: Address, lane: Lane, link: Link): void {
    const slot = this.slots.get(keyOf(address, lane))
    if (slot?.link === link && link.isOpen() && link.silentMs() >= suspiciousMs) {
      slot.suspect = true
      this.doubt(undefined)
    }
  }

  private slotOf(address: Address, lane: Lane): Slot {
    const key = keyOf(address, lane)
    const slot = this.slots.get(key) ?? { link: undefined, suspect: false, opening: undefined, failures: 0, notBefore: 0 }
    this.slots.set(key, slot)
    return slot
  }

  private attempt(address: Address, lane: Lane, slot: Slot, opening: Deferred.Deferred<Link, NotReachable>): Effect.Effect<unknown, NotReachable> {
    const failed = Effect.map(monotonicNow, (now) => {
      slot.failures += 1
      slot.notBefore = now + retryDelayMs("connection", slot.failures, this.dice.next())
    })
    // Callers wait for what comes of it: they must hear of a defect as of any other failure.
    const opened = Effect.catchAllDefect(this.open(address, lane, slot), (defect) =>
      Effect.andThen(
        reportDefect("connection", defect),
        Effect.fail(new NotReachable({ addresses: [formatAddress(address)], reason: defectOf("connection", defect).message }))
      )
    )
    return opened.pipe(
      Effect.tapError(() => failed),
      Effect.onExit((exit) => {
        slot.opening = undefined
        return Deferred.done(opening, exit)
      })
    )
  }

  /** Connects in a scope of its own under the pool's, which ends when the connection does. */
  private open(address: Address, lane: Lane, slot: Slot): Effect.Effect<Link, NotReachable> {
    const { clientId, connectTimeoutMs, requestTimeoutMs, responseBytesMax } = this.options
    return Effect.gen(this, function* () {
      const now = yield* monotonicNow
      if (slot.notBefore > now) yield* Effect.sleep(slot.notBefore - now)
      const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      const end = Scope.close(scope, Exit.void)
      const unreachable = (reason: string) => new NotReachable({ addresses: [formatAddress(address)], reason })
      const link = yield* connect(address, { clientId, connectTimeoutMs, requestTimeoutMs, inFlightRequestsMax, responseBytesMax }).pipe(
        Effect.provideService(Transport, this.transport),
        Scope.extend(scope),
        Effect.mapError((fault) => unreachable(fault.message)),
        // A node that accepts and says nothing is not connected to, either.
        Effect.timeoutFail({ duration: connectTimeoutMs, onTimeout: () => unreachable(`it did not answer within connectTimeoutMs=${connectTimeoutMs}`) }),
        Effect.onError(() => end)
      )
      const before = slot.link
      slot.link = link
      slot.suspect = false
      // The node is there, so the silence was the old connection's.
      if (before?.isOpen() === true) {
        before.abandon("the node was silent, and another connection to it was opened")
        this.doubt(address)
      }
      slot.failures = 0
      const gone = Effect.suspend(() => {
        if (slot.link === link) slot.link = undefined
        return end
      })
      yield* inScope(Effect.ensuring(Effect.exit(link.closed), gone), this.scope)
      return link
    })
  }
}

const keyOf = (address: Address, lane: Lane): string => `${lane} ${formatAddress(address)}`

export const makePool = (options: Connecting, dice: Dice): Effect.Effect<Pool, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    // A scope of its own, closed when the pool's turn comes: what is opened later would otherwise close before a producer's last flush.
    const scope = yield* Effect.acquireRelease(Scope.make(), (own) => Scope.close(own, Exit.void))
    return new Pool(options, dice, transport, scope)
  })
