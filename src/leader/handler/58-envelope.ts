import { Effect, Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { Envelope } from "../../protocol/message/58-envelope.ts"
import type { DispatchFault } from "../../wire/fault.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { dispatchInSlices } from "../../wire/routing/dispatch.ts"
import { Sliced } from "../../wire/sliced.ts"

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
const answer = (answered: Either.Either<ReadonlyArray<Uint8Array>, DispatchFault>) =>
  Either.match(answered, { onLeft: (fault) => refused(errorOf(fault)), onRight: (chunks) => ({ responseData: joined(chunks), errorCode: 0 }) })
const errorOf = ({ kind }: DispatchFault): KafkaError => (kind === "unsupportedVersion" || kind === "unknownApi" ? "UNSUPPORTED_VERSION" : "INVALID_REQUEST")

/**
 * Envelope 0 (KIP-590): a node passes on, unchanged, what only the leader may decide. It is answered by the same routes as a request of the client itself, in the name of
 * the node, which says from which address it came. CLUSTER_AUTHORIZATION_FAILED on a connection on which no broker has registered and no candidate has reported; what only nodes may
 * ask is not taken out of an Envelope. `nodeOf` names the node of a connection, as "broker 1". `unordered`, since one relayed request may wait (JoinGroup) while others come behind it
 * on the node's one connection.
 */
export const envelope = (routes: ReadonlyArray<Route>, nodeOf: (context: RequestContext) => string | undefined): Route => {
  const forClients = routes.filter(({ access }) => access.audience !== "brokers")
  return route(Envelope, { unordered: true, takesCandidates: true }, ({ requestData, clientHostAddress }, context) => {
    const node = nodeOf(context)
    if (node === undefined) return refused("CLUSTER_AUTHORIZATION_FAILED")
    const clientHost = addressText(clientHostAddress)
    if (clientHost === undefined) return refused("INVALID_REQUEST")
    const origin = { clientHost, connectionId: context.connectionId, actor: `${clientHost} by ${node}` }
    return new Sliced(function* () {
      const answered = yield* dispatchInSlices(forClients, requestData, origin)
      return Either.isEither(answered) ? answer(answered) : Effect.map(answered, answer)
    })
  })
}
