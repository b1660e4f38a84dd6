import { Effect, Either } from "effect"
import { bug } from "../../domain/kernel/bug.ts"
import { decodeInSlices, decodeQuickly } from "../protocol/codec/compile.ts"
import type { DecodeError } from "../protocol/codec/decode-error.ts"
import { correlationIdOf, type RequestHeader, responseFrame, responseFrameInSlices } from "../protocol/codec/frame.ts"
import { FetchSnapshot } from "../protocol/message/59-fetch-snapshot.ts"
import { BrokerRegistration } from "../protocol/message/62-broker-registration.ts"
import { ControllerRegistration } from "../protocol/message/70-controller-registration.ts"
import type { AnyApi, RequestOf, ResponseDraft } from "../protocol/type/wire.ts"
import { Later } from "./later.ts"
import { responseErrors } from "./metrics/response-errors.ts"
import { type Access, accessOf, isPermitted } from "./routing/access.ts"
import { errorResponse } from "./routing/error-response.ts"
import { requestElementsMax } from "./routing/request-elements.ts"
import type { Session } from "./session.ts"
import { Sliced, type Steps } from "./sliced.ts"

const noBytes = new Uint8Array(0)

/** What a handler knows about a request besides its fields. */
export class RequestContext {
  private actorText: string | undefined

  constructor(
    readonly header: RequestHeader,
    /** The connection's, shared by all its requests; for a request in an Envelope that of the relayed client. */
    readonly session: Session,
    /** The whole request, header and body without length prefix: what a relay forwards unchanged. Empty once its memory is released. */
    public frame: Uint8Array
  ) {}

  get version(): number {
    return this.header.apiVersion
  }
  /** The client's address, without port. */
  get clientHost(): string {
    return this.session.clientHost
  }
  /** Unique in this process. */
  get connectionId(): number {
    return this.session.connectionId
  }
  /** The name of the listener that accepted the connection; undefined for a listener without a name. */
  get listener(): string | undefined {
    return this.session.listener
  }
  /** Client id and address, as "rdkafka@127.0.0.1:51234"; for a request in an Envelope the client's address, as the node states it, and the node. */
  get actor(): string {
    return (this.actorText ??= this.session.actorOf(this.header.clientId))
  }
  /** The memory of the frame is released: no field of the request is a view of it from now on. */
  releaseFrame(): void {
    this.frame = noBytes
  }
}

/** The client gets no response: Produce with acks=0. */
export class NoResponse {
  readonly _tag = "NoResponse"
}
export const noResponse = new NoResponse()

/** The server closes the connection instead of a response, after the responses before it: Kafka shows an error to a producer with acks=0 so. */
export class Disconnect {
  readonly _tag = "Disconnect"
  constructor(readonly reason: string) {}
}
export const disconnect = (reason: string): Disconnect => new Disconnect(reason)

/** The request turned out to be malformed while it was decoded in slices: the server closes the connection. */
export class Unreadable {
  readonly _tag = "Unreadable"
  constructor(readonly error: DecodeError) {}
}

/** A response that was encoded in slices, length prefix first. */
export class Encoded {
  readonly _tag = "Encoded"
  constructor(
    readonly chunks: ReadonlyArray<Uint8Array>,
    /** The error codes in the response that are not 0. */
    readonly errorCodes: ReadonlyArray<number>
  ) {}
}

type ApiResponse<A extends AnyApi> = ResponseDraft<A> | NoResponse | Disconnect
/** A response, or the steps that make one without waiting. */
export type Made<A extends AnyApi> = ApiResponse<A> | Sliced<ApiResponse<A>>
/**
 * What a handler returns. A response that is ready is a value and costs no Effect run; one that waits for a callback is a Later; one that waits otherwise is an Effect that cannot fail.
 * The server interrupts it when the connection closes: the handler makes a step uninterruptible that must not stop half-way. Work of more than a millisecond is Sliced: its response is
 * encoded in slices too.
 */
export type Handled<A extends AnyApi> = Made<A> | Later<Handled<A>> | Effect.Effect<Handled<A>> | Sliced<Handled<A>>

export interface RouteOptions {
  /** Versions that are served, first and last. Default: all stable ones that the API has. */
  readonly versions?: readonly [first: number, last: number]
  /** First version that ApiVersions names, where it differs: clients match Produce's 0 (Kafka's constant since KAFKA-18659). */
  readonly advertisedMin?: number
  /** Whether it may start while other pipelined requests of its connection are in flight; default false. Responses keep their order. */
  readonly pipelined?: boolean
  /** Pipelined, and its response does not wait for the responses before it: for clients that match by correlation id, as links between nodes do. Default false. */
  readonly unordered?: boolean
  /**
   * Whether `handle` is done with the request's frame when it returns: neither the response nor anything that was kept looks at a view of it (records, bytes, tagged fields
   * that this version does not know) from then on, also where the response still waits. Its memory is freed at once. Default false.
   */
  readonly borrows?: boolean
  /** Whether candidates for the leader's role may send what brokers send. Default false. */
  readonly takesCandidates?: boolean
  /** Its permitted senders, for an API that is not Kafka's. Default: as routing/access.ts declares. */
  readonly access?: Access
}
/** The fields of CLUSTER_AUTHORIZATION_FAILED beside the error code, where they differ from Kafka's defaults. */
interface Refusal<A extends AnyApi> {
  readonly refusal?: Partial<ResponseDraft<A>>
}

/** A request whose handler has begun, or that is decoded in slices first. */
export interface Started {
  /** The response, a Later, an Effect, or Sliced. */
  readonly answer: unknown
  /** Memory of the request's fields, roughly, bytes; of one that is read in slices 0 until it is read. */
  readonly memoryBytes: number
  /** It is read in slices. */
  readonly isLarge: boolean
}

/** One API of a node: its served versions and its handler. */
export interface Route {
  readonly api: AnyApi
  readonly versions: readonly [first: number, last: number]
  readonly advertisedMin: number
  /** Its permitted senders and the permissions that they need. */
  readonly access: Access
  readonly pipelined: boolean
  readonly unordered: boolean
  readonly borrows: boolean
  /** Elements that a request may have. */
  readonly elementsMax: number
  /** Looked at when a request begins and before its response leaves: where it is false, the connection is closed instead. Undefined: always true. */
  readonly mayAnswer?: () => boolean
  /**
   * Reads the body, which begins at `bodyAt` of the context's frame, and begins the work. What the handler throws passes through. A body of more than `elementsMax`
   * elements is a DecodeError, or Unreadable; default: those that the API allows.
   */
  readonly start: (context: RequestContext, bodyAt: number, elementsMax?: number) => Either.Either<Started, DecodeError>
  /** Whether the session's client may send this API: its audience and its permissions. */
  readonly admits: (session: Session) => boolean
  /** The response to a client that may not: CLUSTER_AUTHORIZATION_FAILED. */
  readonly refusal: (version: number) => unknown
  /** Encodes the response that `start` returned as a frame, length prefix first. Throws EncodeError. */
  readonly encode: (context: RequestContext, answer: unknown) => ReadonlyArray<Uint8Array>
  /** Runs the steps that `start` returned until the response is Encoded, or is a Later, an Effect or a Disconnect. Throws EncodeError. */
  readonly finish: (context: RequestContext, answer: unknown) => Steps<unknown>
}

const isResponse = (made: unknown): boolean =>
  !(made instanceof Later || made instanceof NoResponse || made instanceof Disconnect || made instanceof Unreadable || Effect.isEffect(made))

/** Asserts that a response is the one to this request, before it leaves: a client matches responses to its requests by correlation id. */
export const responseTo = ({ header }: Pick<RequestContext, "header">, chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  const written = correlationIdOf(chunks)
  if (written !== header.correlationId) bug(`the response to request ${header.correlationId} of API key ${header.apiKey} has the correlation id ${written}`)
  return chunks
}

/** The one place where a response gets its throttle time; without one the encoder writes 0, and drops the field where the version has none. */
const throttled = <D>(response: D, { throttleTimeMs }: Session): D => (throttleTimeMs === 0 ? response : { ...response, throttleTimeMs })

/** A connection becomes a node's by its registration, so that one is taken from any; and a new broker continues with the leader's snapshot before it can register. */
const beforeRegistration: ReadonlySet<number> = new Set([BrokerRegistration.key, ControllerRegistration.key, FetchSnapshot.key])

const isOfNode = ({ candidate, isBroker }: Session, { takesCandidates }: RouteOptions): boolean =>
  isBroker || (takesCandidates === true && candidate !== undefined)

/** Connects an API with its handler. The server closes the connection of a client whose handler throws or dies; other connections continue. */
export const route = <A extends AnyApi>(
  api: A,
  options: RouteOptions & Refusal<A>,
  handle: (request: RequestOf<A>, context: RequestContext) => Handled<A>
): Route => {
  const versions = options.versions ?? ([api.versions[0], api.latestStable] as const)
  const unordered = options.unordered ?? false
  const allowed = requestElementsMax(api.key)
  const access = options.access ?? accessOf(api.key)
  if (access === undefined) throw new Error(`routing/access.ts does not declare who may send ${api.name} (API key ${api.key})`)
  const needsBroker = access.audience === "brokers" && !beforeRegistration.has(api.key)
  // Where there was too little memory for the elements that the API allows, the request is not at fault, and may be sent again over another connection.
  const refused = (error: DecodeError, version: number, elementsMax: number): unknown =>
    (error.kind === "elements" && elementsMax === allowed ? errorResponse(api, version, "INVALID_REQUEST", error.message) : undefined) ?? new Unreadable(error)
  const large = (context: RequestContext, bodyAt: number, elementsMax: number): Started => {
    const started = { answer: new Sliced(() => steps()), memoryBytes: 0, isLarge: true }
    function* steps(): Steps<unknown> {
      const read = yield* decodeInSlices(api, context.version, context.frame, bodyAt, elementsMax)
      if (Either.isLeft(read)) return refused(read.left, context.version, elementsMax)
      started.memoryBytes = read.right.memoryBytes
      return handle(read.right.value, context)
    }
    return started
  }
  return {
    api,
    versions,
    advertisedMin: options.advertisedMin ?? versions[0],
    access,
    pipelined: unordered || (options.pipelined ?? false),
    unordered,
    borrows: options.borrows ?? false,
    elementsMax: allowed,
    start: (context, bodyAt, elementsMax = allowed) => {
      const bound = Math.min(elementsMax, allowed)
      const read = decodeQuickly(api, context.version, context.frame, bodyAt, bound)
      if (Either.isRight(read)) return Either.right({ answer: handle(read.right.value, context), memoryBytes: read.right.memoryBytes, isLarge: false })
      return read.left.kind === "elements" ? Either.right(large(context, bodyAt, bound)) : Either.left(read.left)
    },
    admits: (session) => (!needsBroker || isOfNode(session, options)) && isPermitted(session.principal, access.permissions),
    refusal: (version) => {
      const refused = errorResponse(api, version, "CLUSTER_AUTHORIZATION_FAILED")
      return refused === undefined ? new Disconnect(`${api.name} is not permitted`) : { ...refused, ...options.refusal }
    },
    encode: ({ header, session }, answer) => responseFrame(api, header.apiVersion, header.correlationId, throttled(answer as ResponseDraft<A>, session)),
    finish: function* (context, answer) {
      const { header, session } = context
      let made = answer
      while (made instanceof Sliced) {
        const steps: Steps<unknown> = made.begin()
        // The steps release a large request as soon as they can: so must this.
        made = undefined
        made = yield* steps
      }
      if (!isResponse(made)) return made
      const codes: Array<number> = []
      responseErrors(api)(made, (code) => codes.push(code))
      const response = throttled(made as ResponseDraft<A>, session)
      return new Encoded(responseTo(context, yield* responseFrameInSlices(api, header.apiVersion, header.correlationId, response)), codes)
    }
  }
}
