import { Deferred, Effect, Either, Exit, Scope } from "effect"
import { errorCode, kafkaError } from "../../domain/kernel/error-code.ts"
import { Transport } from "../ports/transport.ts"
import { decodeResponseFrame } from "../protocol/codec/frame.ts"
import { Envelope } from "../protocol/message/58-envelope.ts"
import type { AnyApi, ResponseOf } from "../protocol/type/wire.ts"
import type { Link } from "../wire/link.ts"
import type { RequestContext } from "../wire/route.ts"
import type { LeaderContact } from "./leader-contact.ts"

/**
 * Why a relayed request has no response. The handler answers with an error after which clients look for the leader
 * again.
 */
export interface RelayFailure {
  readonly message: string
}

/**
 * Requests in flight on one link. A JoinGroup may wait for minutes, and the leader bounds the requests in flight of a
 * connection.
 */
const perLinkMax = 32
/** Links to the leader for relayed requests. Together they carry at most 2,048 requests. */
const linksMax = 64

interface PooledLink {
  readonly link: Effect.Effect<Link, RelayFailure>
  readonly scope: Scope.CloseableScope
  /** Undefined until the connection is open. */
  opened: Link | undefined
  inUse: number
  broken: boolean
}

/** Whether the next request needs another link: this one failed, or the leader closed it because it was idle. */
const isUnusable = ({ broken, opened }: PooledLink): boolean => broken || opened?.isOpen() === false

const unauthorized = errorCode("CLUSTER_AUTHORIZATION_FAILED")
const text = new TextEncoder()
const noAddress = new Uint8Array(4)

/** Returns the 4 bytes of an IPv4 address or the 16 bytes of an IPv6 address; 0.0.0.0 for a host name. */
export const addressBytes = (host: string): Uint8Array => {
  const ipv4 = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(host)
  if (ipv4 !== null) return Uint8Array.from(ipv4.slice(1).map(Number))
  if (!/^[0-9a-f:]+$/i.test(host) || !host.includes(":")) return noAddress
  const [head = "", tail] = host.split("::")
  const groups = (part: string): ReadonlyArray<string> => (part === "" ? [] : part.split(":"))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0")
  const all = tail === undefined ? before : [...before, ...zeros, ...after]
  return all.length === 8 ? Uint8Array.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])) : noAddress
}

/**
 * Relays requests that only the leader can answer: unchanged, in Kafka's Envelope, with the principal and the address
 * of the client. Links are opened on demand and kept. The leader answers the Envelopes of one link in any order.
 */
export class Relay {
  private readonly pool: Array<PooledLink> = []

  constructor(
    private readonly contact: LeaderContact,
    private readonly scope: Scope.Scope,
    private readonly transport: Transport["Type"]
  ) {}

  /** Returns the leader's response to the request in `context`. `timeoutMs` bounds the wait for the response. */
  forward<A extends AnyApi>(
    api: A,
    context: Pick<RequestContext, "frame" | "version" | "actor" | "clientHost">,
    timeoutMs: number
  ): Effect.Effect<ResponseOf<A>, RelayFailure> {
    const { actor, clientHost, frame, version } = context
    const envelope = { requestData: frame, requestPrincipal: text.encode(actor), clientHostAddress: addressBytes(clientHost) }
    const call = (link: Link) =>
      Effect.flatMap(
        Effect.mapError(link.call(Envelope, envelope, { timeoutMs }), ({ message }): RelayFailure => ({ message })),
        // The leader replaced the registration that this link was opened with. A new link begins with the current one.
        (answer) =>
          answer.errorCode === unauthorized ? Effect.fail({ message: "the leader does not recognize this broker on this connection" }) : Effect.succeed(answer)
      )
    return this.withLink(call).pipe(
      Effect.flatMap(({ errorCode: error, responseData }) => {
        if (error !== 0 || responseData === null) return Effect.fail({ message: `the leader answers ${kafkaError(error)}` })
        const answer = decodeResponseFrame(api, version, responseData)
        return Either.isRight(answer) ? Effect.succeed(answer.right.value) : Effect.fail({ message: answer.left.message })
      })
    )
  }

  /** Runs `use` on an open link with fewer than `perLinkMax` requests in flight, or on a new one. */
  withLink<A>(use: (link: Link) => Effect.Effect<A, RelayFailure>): Effect.Effect<A, RelayFailure> {
    return Effect.acquireUseRelease(
      this.acquire(),
      (pooled) =>
        Effect.flatMap(pooled.link, (link) => {
          pooled.opened = link
          return use(link)
        }),
      (pooled, exit) => this.release(pooled, Exit.isFailure(exit))
    )
  }

  private acquire(): Effect.Effect<PooledLink, RelayFailure> {
    return Effect.suspend(() => {
      const free = this.pool.find((pooled) => !isUnusable(pooled) && pooled.inUse < perLinkMax)
      if (free !== undefined) {
        free.inUse++
        return Effect.succeed(free)
      }
      const idle = this.pool.filter((pooled) => pooled.inUse === 0 && isUnusable(pooled))
      if (this.pool.length - idle.length >= linksMax) return Effect.fail({ message: `${linksMax * perLinkMax} requests to the leader are in flight already` })
      return Effect.zipRight(
        Effect.forEach(idle, (pooled) => this.close(pooled), { discard: true }),
        this.openLink()
      )
    })
  }

  private openLink(): Effect.Effect<PooledLink, RelayFailure> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.scope, { _tag: "Sequential" })
      const link = yield* Deferred.make<Link, RelayFailure>()
      // Forked in the link's scope, not run in the caller's fiber: an interrupted request must not close the link for
      // others that wait for it.
      yield* this.contact.openAsBroker("relay").pipe(
        Effect.mapError(({ message }): RelayFailure => ({ message })),
        Scope.extend(scope),
        Effect.provideService(Transport, this.transport),
        Effect.intoDeferred(link),
        Effect.interruptible,
        Effect.forkIn(scope)
      )
      const pooled: PooledLink = { link: Deferred.await(link), scope, opened: undefined, inUse: 1, broken: false }
      this.pool.push(pooled)
      return pooled
    })
  }

  /**
   * After a failure the link takes no new requests: the connection may be lost or slow. The last request in flight
   * closes it.
   */
  private release(pooled: PooledLink, failed: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      pooled.inUse--
      if (failed) pooled.broken = true
      return pooled.broken && pooled.inUse === 0 ? this.close(pooled) : Effect.void
    })
  }

  private close(pooled: PooledLink): Effect.Effect<void> {
    const at = this.pool.indexOf(pooled)
    if (at >= 0) this.pool.splice(at, 1)
    return Scope.close(pooled.scope, Exit.void)
  }
}
