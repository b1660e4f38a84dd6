import { Effect, Either } from "effect"
import { Bug } from "../../../domain/kernel/bug.ts"
import { errorCode, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address } from "../../ports/transport.ts"
import type { DecodeError } from "../../protocol/codec/decode-error.ts"
import { decodeResponseFrame, requestFrame } from "../../protocol/codec/frame.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import type { AnyApi, RequestDraft, ResponseOf, UnknownTag } from "../../protocol/type/wire.ts"
import { type CallFault, MalformedResponse, UnsupportedByPeer } from "../fault.ts"
import type { LinkConnection, LinkOptions } from "./link-connection.ts"

export interface CallOptions {
  /** Default: `versionOf` the API. A version that is given is sent even if the peer does not list it. */
  readonly version?: number
  /** Default: the link's `requestTimeoutMs`. Counted from the call on, the wait for a place in flight included. */
  readonly timeoutMs?: number
  /** The call times out earlier when nothing at all has come from the peer for this long. Default: `timeoutMs`. */
  readonly silenceMs?: number
  /** Tagged fields for a flexible header. */
  readonly tags?: ReadonlyArray<UnknownTag>
  /** Sent also while the link is held (`Link.alone`), before all that waits. */
  readonly urgent?: boolean
}

/** The software name and version that this client sends (KIP-511). */
export const software = { clientSoftwareName: "comanche-franz", clientSoftwareVersion: "0.1.0" }
/** Version 5 names the node that the client expects (KIP-1242), which a link does not know; older nodes know version 4. */
const firstTry = 4

/** The versions that a peer lists, by API key. */
export type Ranges = ReadonlyMap<number, readonly [first: number, last: number]>

/** Sends a request; returns the frame of its response, or empty bytes once a request without a response is written. */
export const transmit = <A extends AnyApi>(
  to: LinkConnection,
  options: LinkOptions,
  api: A,
  version: number,
  request: RequestDraft<A>,
  { silenceMs, tags, timeoutMs = options.requestTimeoutMs, urgent = false }: CallOptions,
  answered: boolean
): Effect.Effect<Uint8Array, CallFault> =>
  Effect.async((resume) => {
    let id = -1
    const encode = (correlationId: number) => {
      id = correlationId
      return requestFrame(api, version, { correlationId, clientId: options.clientId, ...(tags ? { tags } : {}) }, request)
    }
    // The other half of the server's assertion: the link matched this response to this request.
    const settle: Parameters<typeof to.submit>[1] = (outcome) =>
      answered && Either.isRight(outcome) && !isResponseTo(outcome.right, id)
        ? resume(Effect.die(new Bug(`the response to ${api.name} ${version} does not have the correlation id ${id}`)))
        : resume(outcome)
    return Effect.sync(to.submit({ encode, answered, api: api.name, timeoutMs, urgent, ...(silenceMs === undefined ? {} : { silenceMs }) }, settle))
  })

const isResponseTo = (frame: Uint8Array, id: number): boolean => frame.length >= 4 && new DataView(frame.buffer, frame.byteOffset).getInt32(0) === id

/** One request and its response, read by the version that was sent. A response that cannot be read closes the connection: what follows it cannot be trusted. */
export const exchange = <A extends AnyApi>(
  to: LinkConnection,
  address: Address,
  options: LinkOptions,
  api: A,
  version: number,
  request: RequestDraft<A>,
  own: CallOptions
): Effect.Effect<ResponseOf<A>, CallFault> =>
  Effect.flatMap(transmit(to, options, api, version, request, own, true), (frame) => {
    const answer = decodeResponseFrame(api, version, frame)
    if (Either.isRight(answer)) return Effect.succeed(answer.right.value)
    to.lose(`it answered ${api.name} with bytes that cannot be read`)
    return Effect.fail(malformed(address, api, answer.left))
  })

const malformed = (address: Address, api: AnyApi, { field, position, reason }: DecodeError): MalformedResponse =>
  new MalformedResponse({ address, api: api.name, field, position, reason })

/** Sends ApiVersions in our version first. A peer that does not know it responds in version 0 with its own range, and we send a version of that. */
export const negotiate = (to: LinkConnection, address: Address, options: LinkOptions): Effect.Effect<Ranges, CallFault> => {
  const ask = (version: number) =>
    Effect.map(transmit(to, options, ApiVersions, version, software, {}, true), (frame) => {
      // The error code follows the correlation id in every version: a peer that does not know our version responds in version 0.
      const unknown = frame.length >= 6 && new DataView(frame.buffer, frame.byteOffset).getInt16(4) === errorCode("UNSUPPORTED_VERSION")
      return decodeResponseFrame(ApiVersions, unknown ? 0 : version, frame)
    })
  const read = (answer: Effect.Effect.Success<ReturnType<typeof ask>>): Effect.Effect<ResponseOf<typeof ApiVersions>, CallFault> => {
    if (Either.isLeft(answer)) {
      to.lose("it answered ApiVersions with bytes that cannot be read")
      return Effect.fail(malformed(address, ApiVersions, answer.left))
    }
    return Effect.succeed(answer.right.value)
  }
  return Effect.gen(function* () {
    let answer = yield* Effect.flatMap(ask(firstTry), read)
    if (answer.errorCode === errorCode("UNSUPPORTED_VERSION")) {
      const last = answer.apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key)?.maxVersion ?? 0
      answer = yield* Effect.flatMap(ask(Math.max(0, Math.min(last, firstTry))), read)
    }
    if (answer.errorCode !== 0) {
      const reason = `it answers with ${kafkaError(answer.errorCode)}`
      to.lose(reason)
      return yield* new UnsupportedByPeer({ address, api: ApiVersions.name, reason })
    }
    return new Map(answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion] as const]))
  })
}
