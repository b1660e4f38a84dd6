import { Deferred, Effect, Either, Exit, Scope } from "effect"
import { errorCode, kafkaError } from "../../domain/kernel/error-code.ts"
import { Transport } from "../ports/transport.ts"
import { decodeResponseFrame } from "../protocol/codec/frame.ts"
import { Envelope } from "../protocol/message/58-envelope.ts"
import type { AnyApi, ResponseOf } from "../protocol/type/wire.ts"
import type { Link } from "../wire/link.ts"
import type { RequestContext } from "../wire/route.ts"
import type { LeaderContact } from "./leader-contact.ts"

/** Why a relayed request has no answer; the client is told to look for the leader again. */
export interface Unrelayed {
  readonly message: string
}

/** Requests on one link at a time. A member that joins a group may wait for minutes, and the leader reads a bounded number of requests ahead. */
const perLinkMax = 32
/** Links to the leader for relays; over them all, 2,048 requests can wait. */
const linksMax = 64

interface Lane {
  readonly link: Effect.Effect<Link, Unrelayed>
  readonly scope: Scope.CloseableScope
  /** The link, once it is there. */
  opened: Link | undefined
  inUse: number
  broken: boolean
}

/** The leader closes links that are idle for long: who came next would find them dead. */
const isOver = ({ broken, opened }: Lane): boolean => broken || opened?.isOpen() === false

const unauthorized = errorCode("CLUSTER_AUTHORIZATION_FAILED")
const text = new TextEncoder()
const noAddress = new Uint8Array(4)

/** An IPv4 address as its four bytes, an IPv6 one as sixteen; 0.0.0.0 for what is neither, a host that has only a name. */
export const addressBytes = (host: string): Uint8Array => {
  const four = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(host)
  if (four !== null) return Uint8Array.from(four.slice(1).map(Number))
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
 * Hands requests that only the leader may decide on to it, unchanged, in Kafka's Envelope, under the name of the client that sent them. Links are opened when
 * they are needed and kept; the leader answers the Envelopes of one link in any order.
 */
export class Relay {
  private readonly lanes: Array<Lane> = []

  constructor(
    private readonly contact: LeaderContact,
    private readonly scope: Scope.Scope,
    private readonly transport: Transport["Type"]
  ) {}

  /** The leader's answer to the request in `context`. `timeoutMs` bounds the wait. */
  forward<A extends AnyApi>(
    api: A,
    context: Pick<RequestContext, "frame" | "version" | "actor" | "clientHost">,
    timeoutMs: number
  ): Effect.Effect<ResponseOf<A>, Unrelayed> {
    const { actor, clientHost, frame, version } = context
    const envelope = { requestData: frame, requestPrincipal: text.encode(actor), clientHostAddress: addressBytes(clientHost) }
    const call = (link: Link) =>
      Effect.flatMap(
        Effect.mapError(link.call(Envelope, envelope, { timeoutMs }), ({ message }): Unrelayed => ({ message })),
        // The registration that the link was opened with does not stand any more: another link begins with the one that does.
        (answer) => (answer.errorCode === unauthorized ? Effect.fail({ message: "the leader does not know this broker on its link" }) : Effect.succeed(answer))
      )
    return this.withLink(call).pipe(
      Effect.flatMap(({ errorCode: error, responseData }) => {
        if (error !== 0 || responseData === null) return Effect.fail({ message: `the leader answers ${kafkaError(error)}` })
        const answer = decodeResponseFrame(api, version, responseData)
        return Either.isRight(answer) ? Effect.succeed(answer.right.value) : Effect.fail({ message: answer.left.message })
      })
    )
  }

  /** Uses a link to the leader, an open one with room if there is one. */
  withLink<A>(use: (link: Link) => Effect.Effect<A, Unrelayed>): Effect.Effect<A, Unrelayed> {
    return Effect.acquireUseRelease(
      this.enter(),
      (lane) =>
        Effect.flatMap(lane.link, (link) => {
          lane.opened = link
          return use(link)
        }),
      (lane, exit) => this.exit(lane, Exit.isFailure(exit))
    )
  }

  private enter(): Effect.Effect<Lane, Unrelayed> {
    return Effect.suspend(() => {
      const free = this.lanes.find((lane) => !isOver(lane) && lane.inUse < perLinkMax)
      if (free !== undefined) {
        free.inUse++
        return Effect.succeed(free)
      }
      const idle = this.lanes.filter((lane) => lane.inUse === 0 && isOver(lane))
      if (this.lanes.length - idle.length >= linksMax) return Effect.fail({ message: `${linksMax * perLinkMax} requests wait for the leader already` })
      return Effect.zipRight(
        Effect.forEach(idle, (lane) => this.close(lane), { discard: true }),
        this.openLane()
      )
    })
  }

  private openLane(): Effect.Effect<Lane, Unrelayed> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.scope, { _tag: "Sequential" })
      const link = yield* Deferred.make<Link, Unrelayed>()
      // In the lane's scope, not in the caller's fiber: one client that goes away meanwhile must not take the link from those who wait for it too.
      yield* this.contact.openAsBroker("relay").pipe(
        Effect.mapError(({ message }): Unrelayed => ({ message })),
        Scope.extend(scope),
        Effect.provideService(Transport, this.transport),
        Effect.intoDeferred(link),
        Effect.interruptible,
        Effect.forkIn(scope)
      )
      const lane: Lane = { link: Deferred.await(link), scope, opened: undefined, inUse: 1, broken: false }
      this.lanes.push(lane)
      return lane
    })
  }

  /** After a failure the link may be lost or late: those who use it finish, nobody new comes, and the last one closes it. */
  private exit(lane: Lane, failed: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      lane.inUse--
      if (failed) lane.broken = true
      return lane.broken && lane.inUse === 0 ? this.close(lane) : Effect.void
    })
  }

  private close(lane: Lane): Effect.Effect<void> {
    const at = this.lanes.indexOf(lane)
    if (at >= 0) this.lanes.splice(at, 1)
    return Scope.close(lane.scope, Exit.void)
  }
}
