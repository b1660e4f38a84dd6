import { Effect, Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { decodeRequestHeader } from "../../protocol/codec/frame.ts"
import { Envelope } from "../../protocol/message/58-envelope.ts"
import { actorOf } from "../../wire/actor.ts"
import { dispatch } from "../../wire/dispatch.ts"
import type { DispatchFault } from "../../wire/fault.ts"
import { type Route, route } from "../../wire/route.ts"

/** An address as four bytes or sixteen, in the usual text; undefined for any other length. */
export const addressText = (bytes: Uint8Array): string | undefined => {
  if (bytes.length === 4) return [...bytes].join(".")
  if (bytes.length !== 16) return undefined
  return Array.from({ length: 8 }, (_, n) => (((bytes[2 * n] as number) << 8) | (bytes[2 * n + 1] as number)).toString(16)).join(":")
}

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) return only
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

const refused = (error: KafkaError) => ({ responseData: null, errorCode: errorCode(error) })
const errorOf = ({ kind }: DispatchFault): KafkaError => (kind === "unsupportedVersion" || kind === "unknownApi" ? "UNSUPPORTED_VERSION" : "INVALID_REQUEST")

/**
 * Envelope 0 (KIP-590): a broker passes on, unchanged, what only the leader may decide. It is answered by the same routes as a request of the client itself,
 * under the client's name. `unordered`, since one relayed request may wait (JoinGroup) while others come behind it on the broker's one connection.
 */
export const envelope = (routes: ReadonlyArray<Route>): Route =>
  route(Envelope, { listed: false, unordered: true }, ({ requestData, clientHostAddress }, context) => {
    const header = decodeRequestHeader(requestData)
    const clientHost = addressText(clientHostAddress)
    if (Either.isLeft(header) || clientHost === undefined) return refused("INVALID_REQUEST")
    const { clientId } = header.right.header
    const origin = { clientHost, connectionId: context.connectionId, actor: actorOf(clientId ?? "", clientHost) }
    return dispatch(routes, requestData, origin).pipe(
      Effect.match({ onSuccess: (chunks) => ({ responseData: joined(chunks), errorCode: 0 }), onFailure: (fault) => refused(errorOf(fault)) })
    )
  })
