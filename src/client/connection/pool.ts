import { Deferred, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { type Address, formatAddress, type Transport } from "../../ports/transport.ts"
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
import type { Link } from "../../wire/link.ts"
import { AnswerTooLarge, type CallError, type ConnectError, NotReachable, RequestTimedOut, UnsupportedByCluster } from "../error.ts"
import type { ConnectionSettings } from "../options.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import type { SyncRandom } from "../runtime/random.ts"
import { retryDelayMs } from "../runtime/retry.ts"
import { defectOf, inScope, reportDefect } from "../runtime/supervision.ts"
import { type Connector, makeConnector } from "../security/connector.ts"

/**
 * The responses of one connection come in the order of its requests, so requests that may wait for long have
 * connections of their own: fetches, and the joins of a group.
 */
export type Lane = "main" | "fetch" | "group"

export interface CallOptions {
  readonly lane?: Lane
  /** The time for the response, ms. Default: `attemptTimeoutMs` of the settings. */
  readonly timeoutMs?: number
  /** The call times out earlier when no byte has come from the node for this long, ms. */
  readonly silenceMs?: number
  /** The highest version to use, where a later one needs other fields. */
  readonly versionMax?: number
  /** The lowest version that has the fields of the request. A cluster below it gives UnsupportedByCluster. */
  readonly versionMin?: number
  readonly tags?: ReadonlyArray<{ readonly tag: number; readonly data: Uint8Array }>
}

/** Requests in flight on one connection; the producer keeps to five of its own. */
const inFlightRequestsMax = 32

/**
 * The silence, ms, after which an interrupted call makes its connection suspect: it may be half-open, and the next call
 * opens another.
 */
const suspiciousMs = 1000

/**
 * The silence, ms, after which a call of `quickApis` fails, so that it can be retried on another connection or node.
 * These APIs take a node no time and change nothing.
 */
const silentMs = 3000
/** How often the silence of a node is doubled, at most. */
const silencesMax = 8
const quickApis: ReadonlySet<number> = new Set(
  [ListOffsets, Metadata, OffsetFetch, FindCoordinator, Heartbeat, DescribeGroups, ListGroups, ApiVersions, DescribeConfigs, DescribeCluster].map(
    ({ key }) => key
  )
)

/** The connection of one address and lane. */
interface Slot {
  link: Link | undefined
  /** A call was interrupted before its response. The link takes no new calls until a byte comes. */
  suspect: boolean
  opening: Deferred.Deferred<Link, ConnectError> | undefined
  failures: number
  /** No attempt to connect before this time, ms. */
  notBefore: number
}

/** Returns the client's error for the fault of a call. */
export const callError = (fault: CallFault, what: string, address: Address, { responseBytesMax }: Pick<ConnectionSettings, "responseBytesMax">): CallError => {
  switch (fault._tag) {
    case "CallTimeout":
      return new RequestTimedOut({ what, timeoutMs: fault.timeoutMs, reason: `no response from ${formatAddress(address)}.` })
    case "UnsupportedByPeer":
      return new UnsupportedByCluster({ what })
    case "ConnectionLost":
      if (fault.responseBytes !== undefined)
        return new AnswerTooLarge({ address: formatAddress(address), what, sizeBytes: fault.responseBytes, bytesMax: responseBytesMax })
      return new NotReachable({ addresses: [formatAddress(address)], reason: fault.message })
    default:
      return new NotReachable({ addresses: [formatAddress(address)], reason: fault.message })
  }
}

/** The connections of one client, opened when they are first needed: one for each address and lane. */
export class Pool {
  private readonly slots = new Map<string, Slot>()
  /** How many calls in a row each node has not responded to. */
  private readonly silences = new Map<string, number>()

  constructor(
    private readonly settings: ConnectionSettings,
    private readonly random: SyncRandom,
    private readonly connector: Connector,
    /** The connections live in it. */
    private readonly scope: Scope.Scope
  ) {}

  get metrics(): Connector["metrics"] {
    return this.connector.metrics
  }

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
   * A node did not respond on one connection. Its other connections that are silent are closed, so that their calls
   * need not time out one after another. Idle connections are closed for all nodes: the cause of one half-open
   * connection may have made all half-open (an address translator that forgot them), and opening one again costs
   * little. Without an address only idle connections are closed.
   */
  private closeSilent(address: Address | undefined): void {
    const node = address === undefined ? "" : formatAddress(address)
    for (const { link } of this.slots.values()) {
      if (link?.isOpen() !== true) continue
      const silentMs = link.silentMs()
      const isIdle = link.inFlight() === 0
      if (isIdle || (silentMs >= suspiciousMs && formatAddress(link.address) === node)) link.abandon("a node did not respond on another connection")
    }
  }

  /**
   * Returns an open connection. Concurrent callers share the attempt to open it. After each failure the next attempt
   * waits longer.
   */
  link(address: Address, lane: Lane): Effect.Effect<Link, ConnectError> {
    return Effect.suspend(() => {
      const open = this.ready(address, lane)
      if (open !== undefined) return Effect.succeed(open)
      const slot = this.slotOf(address, lane)
      if (slot.opening !== undefined) return Deferred.await(slot.opening)
      return Effect.gen(this, function* () {
        const opening = yield* Deferred.make<Link, ConnectError>()
        slot.opening = opening
        // In the scope of the pool: the interruption of one caller must not end the attempt that others wait for.
        yield* inScope(this.attempt(address, lane, slot, opening), this.scope)
        return yield* Deferred.await(opening)
      })
    })
  }

  /** Calls a node once. Opens a connection if there is none. */
  call<A extends AnyApi>(address: Address, api: A, request: RequestDraft<A>, options: CallOptions = {}): Effect.Effect<ResponseOf<A>, CallError> {
    return Effect.flatMap(this.link(address, options.lane ?? "main"), (open) => {
      const highest = open.versionOf(api)
      if (highest === undefined) return Effect.fail(new UnsupportedByCluster({ what: api.name }))
      const version = Math.min(highest, options.versionMax ?? highest)
      if (version < (options.versionMin ?? 0)) return Effect.fail(new UnsupportedByCluster({ what: `version ${options.versionMin} of ${api.name}` }))
      const silenceMs = options.silenceMs ?? this.silenceOf(address, api)
      const callOptions = {
        version,
        timeoutMs: options.timeoutMs ?? this.settings.attemptTimeoutMs,
        ...(silenceMs === undefined ? {} : { silenceMs }),
        ...(options.tags === undefined || version < api.flexible ? {} : { tags: options.tags })
      }
      const lane = options.lane ?? "main"
      const response = open.call(api, request, callOptions)
      const responded = this.silences.size === 0 ? response : Effect.tap(response, () => this.silences.delete(formatAddress(address)))
      const called = Effect.mapError(responded, (fault) => {
        if (fault._tag === "CallTimeout") this.onSilence(address)
        return callError(fault, api.name, address, this.settings)
      })
      // A fetch is interrupted by the end of the consumer alone, which says nothing about its connection.
      return lane === "fetch" ? called : Effect.onInterrupt(called, () => Effect.sync(() => this.onInterrupted(address, lane, open)))
    })
  }
  private onSilence(address: Address): void {
    const node = formatAddress(address)
    this.silences.set(node, Math.min(silencesMax, (this.silences.get(node) ?? 0) + 1))
    this.closeSilent(address)
  }
  /**
   * How long a node may be silent during a call of `quickApis`, ms. Longer for a node that was silent before: it may be
   * busy.
   */
  private silenceOf(address: Address, api: AnyApi): number | undefined {
    return quickApis.has(api.key) ? silentMs * 2 ** (this.silences.get(formatAddress(address)) ?? 0) : undefined
  }

  /** A call was interrupted before its response: the caller had a shorter timeout, or the connection is half-open. */
  private onInterrupted(address: Address, lane: Lane, link: Link): void {
    const slot = this.slots.get(keyOf(address, lane))
    if (slot?.link === link && link.isOpen() && link.silentMs() >= suspiciousMs) {
      slot.suspect = true
      this.closeSilent(undefined)
    }
  }

  private slotOf(address: Address, lane: Lane): Slot {
    const key = keyOf(address, lane)
    const slot = this.slots.get(key) ?? { link: undefined, suspect: false, opening: undefined, failures: 0, notBefore: 0 }
    this.slots.set(key, slot)
    return slot
  }

  private attempt(address: Address, lane: Lane, slot: Slot, opening: Deferred.Deferred<Link, ConnectError>): Effect.Effect<unknown, ConnectError> {
    const failed = Effect.map(monotonicNow, (now) => {
      slot.failures += 1
      slot.notBefore = now + retryDelayMs("connection", slot.failures, this.random.next())
    })
    // A defect must fail the callers that wait, as any other failure does.
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

  /** Connects in a scope of its own, under the scope of the pool. It ends when the connection does. */
  private open(address: Address, lane: Lane, slot: Slot): Effect.Effect<Link, ConnectError> {
    const { clientId, connectTimeoutMs, requestTimeoutMs, responseBytesMax } = this.settings
    return Effect.gen(this, function* () {
      const now = yield* monotonicNow
      if (slot.notBefore > now) yield* Effect.sleep(slot.notBefore - now)
      const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      const end = Scope.close(scope, Exit.void)
      const link = yield* this.connector.open(address, { clientId, connectTimeoutMs, requestTimeoutMs, inFlightRequestsMax, responseBytesMax }).pipe(
        Scope.extend(scope),
        Effect.onError(() => end)
      )
      const before = slot.link
      slot.link = link
      slot.suspect = false
      // The node responds, so the old connection was the silent one.
      if (before?.isOpen() === true) {
        before.abandon("the node was silent, and another connection to it was opened")
        this.closeSilent(address)
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

export const makePool = (settings: ConnectionSettings, random: SyncRandom): Effect.Effect<Pool, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const connector = yield* makeConnector({
      ...settings.security,
      clientId: settings.clientId,
      metrics: settings.metrics,
      timeoutMs: settings.connectTimeoutMs
    })
    // A scope of its own, closed in the order of the finalizers: connections that are opened later would otherwise
    // close before a producer's last flush.
    const scope = yield* Effect.acquireRelease(Scope.make(), (own) => Scope.close(own, Exit.void))
    return new Pool(settings, random, connector, scope)
  })
