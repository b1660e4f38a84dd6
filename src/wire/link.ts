import { Deferred, Effect, type Scope } from "effect"
import { type Address, type ConnectFault, type Connection, type Listener, type TlsFault, type TlsSettings, Transport } from "../ports/transport.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../protocol/type/wire.ts"
import { ownLinksOf } from "./admission/own-links.ts"
import { type CallFault, ConnectionLost, UnsupportedByPeer } from "./fault.ts"
import { type CallOptions, exchange, negotiate, type Ranges, transmit } from "./link/exchange.ts"
import { LinkConnection, type LinkOptions } from "./link/link-connection.ts"
import { isForBrokersOnly } from "./routing/access.ts"

export type { LinkOptions } from "./link/link-connection.ts"

/** The calling end of one connection. Requests are sent in the order of the calls; responses are matched by correlation id. A link that has closed stays closed: its owner opens another. */
export interface Link {
  readonly address: Address
  /** Unique in this process. */
  readonly connectionId: number
  /** The highest stable version that both sides know; undefined where the peer lacks the API. What only nodes call is never listed, so its own highest is taken. */
  readonly versionOf: (api: AnyApi) => number | undefined
  /**
   * Sends a request and waits for its response. At most `inFlightRequestsMax` are under way; further calls wait their turn. An interrupted call leaves its deadline on the link: when
   * the peer does not answer by then the link closes. The peer may have carried the request out. A draft that has no form in the version dies with EncodeError: that is a fault of the caller.
   */
  readonly call: <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallFault>
  /** Sends a request that gets no response: Produce with acks=0. Waits only while the peer does not read. */
  readonly send: <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<void, ConnectionLost | UnsupportedByPeer>
  readonly isOpen: () => boolean
  /** For how long nothing has come although a response is due, ms; 0 where none is. */
  readonly silentMs: () => number
  /** Requests that are sent and not answered. */
  readonly inFlight: () => number
  /**
   * Runs an effect while the link sends no other requests than its own, which are `urgent`: the responses that are due are awaited first, and what is called meanwhile waits.
   * Authentication within a connection needs it (KIP-368).
   */
  readonly alone: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Closes now, without waiting for responses: their callers fail with ConnectionLost and this reason. */
  readonly abandon: (reason: string) => void
  /** Fails when the connection is closed, by whatever side. */
  readonly closed: Effect.Effect<never, ConnectionLost>
}

type Open = (connection: Connection) => Listener

/** Connects and asks for the peer's versions (KIP-511). The link closes with the scope. */
export const connect = (address: Address, options: LinkOptions): Effect.Effect<Link, ConnectFault | CallFault, Transport | Scope.Scope> =>
  connectBy(address, options, (transport, open) => transport.connect(address, options.connectTimeoutMs, open))

/** As `connect`, over TLS. */
export const connectTls = (
  address: Address,
  tls: TlsSettings,
  options: LinkOptions
): Effect.Effect<Link, ConnectFault | TlsFault | CallFault, Transport | Scope.Scope> =>
  connectBy(address, options, (transport, open) => transport.connectTls(address, tls, options.connectTimeoutMs, open))

const connectBy = <E>(
  address: Address,
  options: LinkOptions,
  connecting: (transport: Transport["Type"], open: Open) => Effect.Effect<Connection, E, Scope.Scope>
): Effect.Effect<Link, E | CallFault, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const runtime = yield* Effect.runtime<never>()
    const clock = yield* Effect.clock
    const end: { current?: LinkConnection } = {}
    const ownLinks = ownLinksOf(transport)
    let leave = () => {}
    yield* Effect.addFinalizer(() => Effect.sync(() => leave()))
    const connection = yield* connecting(transport, (opened) => {
      leave = ownLinks.add(opened)
      return (end.current = new LinkConnection(address, opened, options, clock, runtime))
    })
    const to = end.current ?? new LinkConnection(address, connection, options, clock, runtime)
    // Before the transport's own end: callers that are left hear why.
    yield* Effect.addFinalizer(() => Effect.sync(() => to.lose("the link was closed", true)))
    const ranges = yield* negotiate(to, address, options)
    return makeLink(to, address, options, ranges)
  })

const makeLink = (to: LinkConnection, address: Address, options: LinkOptions, ranges: Ranges): Link => {
  const versionOf = (api: AnyApi): number | undefined => {
    const theirs = ranges.get(api.key)
    if (theirs === undefined) return isForBrokersOnly(api.key) ? api.latestStable : undefined
    const version = Math.min(theirs[1], api.latestStable)
    return version >= theirs[0] && version >= api.versions[0] ? version : undefined
  }
  const unsupported = (api: AnyApi): UnsupportedByPeer => {
    const theirs = ranges.get(api.key)
    const reason = theirs === undefined ? "it does not have this API" : `it has versions ${theirs.join(" to ")}, we have ${api.versions.join(" to ")}`
    return new UnsupportedByPeer({ address, api: api.name, reason })
  }
  const call = <A extends AnyApi>(api: A, request: RequestDraft<A>, own: CallOptions = {}): Effect.Effect<ResponseOf<A>, CallFault> => {
    const version = own.version ?? versionOf(api)
    return version === undefined ? Effect.fail(unsupported(api)) : exchange(to, address, options, api, version, request, own)
  }
  const send = <A extends AnyApi>(api: A, request: RequestDraft<A>, own: CallOptions = {}) => {
    const version = own.version ?? versionOf(api)
    if (version === undefined) return Effect.fail(unsupported(api))
    return transmit(to, options, api, version, request, own, false).pipe(
      Effect.asVoid,
      // A write that had to wait too long is as good as lost: nothing would tell the caller anyway.
      Effect.catchTags({
        CallTimeout: ({ message }) => Effect.fail(new ConnectionLost({ address, reason: message })),
        MalformedResponse: ({ message }) => Effect.fail(new ConnectionLost({ address, reason: message }))
      })
    )
  }
  return {
    address,
    connectionId: to.connection.id,
    versionOf,
    call,
    send,
    isOpen: () => to.isOpen,
    silentMs: () => to.silentMs,
    inFlight: () => to.inFlightCount,
    alone: (effect) =>
      Effect.ensuring(
        Effect.andThen(to.hold, effect),
        Effect.sync(() => to.release())
      ),
    abandon: (reason) => to.lose(reason),
    closed: Deferred.await(to.over)
  }
}
