import { Effect, Either } from "effect"
import { errorCode, kafkaError } from "../../../domain/kernel/error-code.ts"
import { decodeResponseFrame } from "../../protocol/codec/frame.ts"
import { Envelope } from "../../protocol/message/58-envelope.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { Link } from "../../wire/link.ts"
import type { RequestContext } from "../../wire/route.ts"
import { RelayFailure } from "./relay-failure.ts"

/** Errors of an Envelope after which its link is of no use: a new one begins with the current registration, and with the node that leads. */
const refusals: ReadonlyMap<number, string> = new Map([
  [errorCode("CLUSTER_AUTHORIZATION_FAILED"), "the leader does not recognize this node on this connection"],
  [errorCode("NOT_CONTROLLER"), "the node stands by for the leader"]
])
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

type RelayedContext = Pick<RequestContext, "frame" | "version" | "actor" | "clientHost">

export const relayFailure = ({ message }: { readonly message: string }): RelayFailure => new RelayFailure({ message })

const envelopeOn = (envelope: RequestDraft<typeof Envelope>, timeoutMs: number) => (link: Link) =>
  Effect.flatMap(Effect.mapError(link.call(Envelope, envelope, { timeoutMs }), relayFailure), (answer) => {
    const refusal = refusals.get(answer.errorCode)
    return refusal === undefined ? Effect.succeed(answer) : Effect.fail(new RelayFailure({ message: refusal }))
  })

/** Returns the leader's response to the request in the context, which is forwarded as it came. `timeoutMs` bounds the wait for the response. */
export type Forward = <A extends AnyApi>(api: A, context: RelayedContext, timeoutMs: number) => Effect.Effect<ResponseOf<A>, RelayFailure>

/** Forwards over the links that `withLink` lends: to the leader, and known to it as a node's. */
export const forwardOver =
  (withLink: <A>(use: (link: Link) => Effect.Effect<A, RelayFailure>) => Effect.Effect<A, RelayFailure>): Forward =>
  (api, { actor, clientHost, frame, version }, timeoutMs) => {
    const envelope = { requestData: frame, requestPrincipal: text.encode(actor), clientHostAddress: addressBytes(clientHost) }
    return withLink(envelopeOn(envelope, timeoutMs)).pipe(
      Effect.flatMap(({ errorCode: error, responseData }) => {
        if (error !== 0 || responseData === null) return Effect.fail(new RelayFailure({ message: `the leader answers ${kafkaError(error)}` }))
        return Either.mapBoth(decodeResponseFrame(api, version, responseData), { onLeft: relayFailure, onRight: ({ value }) => value })
      })
    )
  }
