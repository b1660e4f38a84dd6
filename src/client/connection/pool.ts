import { Deferred, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { type Address, formatAddress, Transport } from "../../ports/transport.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { CallFault } from "../../wire/fault.ts"
import { connect, type Link } from "../../wire/link.ts"
import { inScope } from "../background.ts"
import type { Dice } from "../dice.ts"
import { type CallError, NotReachable, RequestTimedOut, UnsupportedByCluster } from "../error.ts"
import { monotonicNow } from "../monotonic.ts"
import type { Connecting } from "../options.ts"
import { retryDelayMs } from "../retry.ts"

/** Requests of one connection are answered in order, so what may wait for long has a connection of its own: fetches, and the joins of a group. */
export type Lane = "main" | "fetch" | "group"

export interface CallOptions {
  readonly lane?: Lane
  /** How long the answer may take, over what the options say. */
  readonly timeoutMs?: number
  /** The highest version to use, where a later one would need other fields. */
  readonly versionMax?: number
  /** The lowest version that holds what the request says; a cluster below it gives UnsupportedByCluster. */
  readonly versionMin?: number
  readonly tags?: ReadonlyArray<{ readonly tag: number; readonly data: Uint8Array }>
}

/** Requests on one connection that are sent and not answered; the producer keeps to five of its own. */
const inFlightRequestsMax = 32

/** What was opened for one address and lane. */
interface Slot {
  link: Link | undefined
  opening: Deferred.Deferred<Link, NotReachable> | undefined
  failures: number
  /** No attempt before this moment, ms. */
  notBefore: number
}

/** A call's fault in the client's words. */
export const callError = (fault: CallFault, what: string, address: Address): CallError => {
  switch (fault._tag) {
    case "CallTimeout":
      return new RequestTimedOut({ what, timeoutMs: fault.timeoutMs, reason: `no answer from ${formatAddress(address)}.` })
    case "UnsupportedByPeer":
      return new UnsupportedByCluster({ what })
    default:
      return new NotReachable({ addresses: [formatAddress(address)], reason: fault.message })
  }
}

/** The open connections of one client, made when they are first needed: one for each address and lane. */
export class Pool {
  private readonly slots = new Map<string, Slot>()

  constructor(
    private readonly options: Connecting,
    private readonly dice: Dice,
    private readonly transport: Transport["Type"],
    /** The connections live in it. */
    private readonly scope: Scope.Scope
  ) {}

  /** The connection if it is open. Plain code, for the producer's sender. */
  ready(address: Address, lane: Lane): Link | undefined {
    const open = this.slots.get(keyOf(address, lane))?.link
    return open?.isOpen() === true ? open : undefined
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
        yield* inScope(this.attempt(address, slot, opening), this.scope)
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
      const options = {
        version,
        ...(how.timeoutMs === undefined ? {} : { timeoutMs: how.timeoutMs }),
        ...(how.tags === undefined || version < api.flexible ? {} : { tags: how.tags })
      }
      return Effect.mapError(open.call(api, request, options), (fault) => callError(fault, api.name, address))
    })
  }

  private slotOf(address: Address, lane: Lane): Slot {
    const key = keyOf(address, lane)
    const slot = this.slots.get(key) ?? { link: undefined, opening: undefined, failures: 0, notBefore: 0 }
    this.slots.set(key, slot)
    return slot
  }

  private attempt(address: Address, slot: Slot, opening: Deferred.Deferred<Link, NotReachable>): Effect.Effect<unknown, NotReachable> {
    const failed = Effect.map(monotonicNow, (now) => {
      slot.failures += 1
      slot.notBefore = now + retryDelayMs("connection", slot.failures, this.dice.next())
    })
    return this.open(address, slot).pipe(
      Effect.tapError(() => failed),
      Effect.onExit((exit) => {
        slot.opening = undefined
        return Deferred.done(opening, exit)
      })
    )
  }

  /** Connects in a scope of its own under the pool's, which ends when the connection does. */
  private open(address: Address, slot: Slot): Effect.Effect<Link, NotReachable> {
    const { clientId, connectTimeoutMs, requestTimeoutMs, responseBytesMax } = this.options
    return Effect.gen(this, function* () {
      const now = yield* monotonicNow
      if (slot.notBefore > now) yield* Effect.sleep(slot.notBefore - now)
      const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      const end = Scope.close(scope, Exit.void)
      const link = yield* connect(address, { clientId, connectTimeoutMs, requestTimeoutMs, inFlightRequestsMax, responseBytesMax }).pipe(
        Effect.provideService(Transport, this.transport),
        Scope.extend(scope),
        Effect.mapError((fault) => new NotReachable({ addresses: [formatAddress(address)], reason: fault.message })),
        Effect.onError(() => end)
      )
      slot.link = link
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
