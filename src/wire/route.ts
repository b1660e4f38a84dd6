import { Effect, Either } from "effect"
import { decodeInSlices, decodeQuickly } from "../protocol/codec/compile.ts"
import type { DecodeError } from "../protocol/codec/decode-error.ts"
import { type RequestHeader, responseFrame, responseFrameInSlices } from "../protocol/codec/frame.ts"
import type { AnyApi, RequestOf, ResponseDraft } from "../protocol/type/wire.ts"
import type { Caller } from "./admission/caller.ts"
import { Later } from "./later.ts"
import type { AnswerRoom } from "./memory/answer-budget.ts"
import { responseErrors } from "./metrics/response-errors.ts"
import { oversizedAnswer } from "./routing/oversized.ts"
import { requestElementsMax } from "./routing/request-elements.ts"
import { Sliced, type Steps } from "./sliced.ts"

/** What a handler knows about a request besides its fields. */
export interface RequestContext {
  readonly header: RequestHeader
  readonly version: number
  /** The caller's address, without port. */
  readonly clientHost: string
  /** Unique in this process. */
  readonly connectionId: number
  /** The name of the listener through which it came; absent where the listener has none. */
  readonly listener?: string | undefined
  /** Client id and address, as "rdkafka@127.0.0.1:51234"; for what came in an Envelope: the client's address as the broker says it, and the broker. */
  readonly actor: string
  /** Who has shown who it is at the other end; absent for what came in an Envelope. */
  readonly caller?: Caller
  /** Room for the answer's records; absent where it goes to nobody's socket directly. */
  readonly answers?: AnswerRoom
  /** The whole request, header and body without length prefix: what a relay forwards unchanged. */
  readonly frame: Uint8Array
}

/** No answer is sent: Produce with acks=0. */
export class NoResponse {
  readonly _tag = "NoResponse"
}
export const noResponse = new NoResponse()

/** The connection is closed instead of an answer, after the answers before it: how Kafka tells a producer with acks=0 that something failed. */
export class Disconnect {
  readonly _tag = "Disconnect"
  constructor(readonly reason: string) {}
}
export const disconnect = (reason: string): Disconnect => new Disconnect(reason)

/** The request cannot be read, as came out while it was read in slices: the connection is closed. */
export class Unreadable {
  readonly _tag = "Unreadable"
  constructor(readonly error: DecodeError) {}
}

/** An answer that was written in slices, length prefix first. */
export class Encoded {
  readonly _tag = "Encoded"
  constructor(
    readonly chunks: ReadonlyArray<Uint8Array>,
    /** The error codes in the response that are not 0. */
    readonly errorCodes: ReadonlyArray<number>
  ) {}
}

type Answer<A extends AnyApi> = ResponseDraft<A> | NoResponse | Disconnect
/** An answer, or the steps that make one of what is there already. */
export type Made<A extends AnyApi> = Answer<A> | Sliced<Answer<A>>
/**
 * An answer that is ready at once is a value, and costs no Effect run; one that waits for a call is a Later. One that has to wait is an Effect that cannot fail. It is interrupted when the
 * connection closes: a step that must not stop half-way is made uninterruptible by its handler. What may take more than a millisecond is Sliced: its answer is written in slices too.
 */
export type Handled<A extends AnyApi> = Made<A> | Later<Handled<A>> | Effect.Effect<Handled<A>> | Sliced<Handled<A>>

export interface RouteOptions {
  /** Versions that are served, first and last. Default: all stable ones that the API has. */
  readonly versions?: readonly [first: number, last: number]
  /** First version that ApiVersions names, where it differs: clients match Produce's 0 (Kafka's constant since KAFKA-18659). */
  readonly advertisedMin?: number
  /** Whether ApiVersions names it to clients; default true. False: what only nodes call. */
  readonly listed?: boolean
  /** Whether it may start while other pipelined requests of its connection are under way; default false. Answers keep their order. */
  readonly pipelined?: boolean
  /** Pipelined, and its answer does not wait for the answers before it: for callers that match by correlation id, as our links between nodes do. Default false. */
  readonly unordered?: boolean
  /**
   * Whether `handle` is done with the request's frame when it returns: neither the answer nor anything that was kept looks at a view of it (records, bytes, tagged fields
   * that this version does not know) from then on, also where the answer still waits. Its memory is freed at once. Default false.
   */
  readonly borrows?: boolean
}

/** A request that was read, or is read in slices, and whose handler has begun. */
export interface Started {
  /** The answer, a Later, an Effect, or Sliced. */
  readonly answer: unknown
  /** Memory of the request's fields, roughly, bytes; of one that is read in slices 0 until it is read. */
  readonly memoryBytes: number
  /** It is read in slices. */
  readonly isLarge: boolean
}

/** One API of a node: what it serves, and who answers. */
export interface Route {
  readonly api: AnyApi
  readonly versions: readonly [first: number, last: number]
  readonly advertisedMin: number
  readonly listed: boolean
  readonly pipelined: boolean
  readonly unordered: boolean
  readonly borrows: boolean
  /** Elements that a request may have. */
  readonly elementsMax: number
  /**
   * Reads the body, which begins at `bodyAt` of the context's frame, and begins the work. What the handler throws passes through. A body of more than `elementsMax`
   * elements is a DecodeError, or Unreadable; default: those that the API allows.
   */
  readonly start: (context: RequestContext, bodyAt: number, elementsMax?: number) => Either.Either<Started, DecodeError>
  /** The answer that `start` gave as a frame, length prefix first. Throws EncodeError. */
  readonly encode: (version: number, correlationId: number, answer: unknown) => ReadonlyArray<Uint8Array>
  /** Goes on with what `start` gave until it is Encoded, or something else than an answer: a Later, an Effect, an end. Throws EncodeError. */
  readonly finish: (version: number, correlationId: number, answer: unknown) => Steps<unknown>
}

const isAnswer = (made: unknown): boolean =>
  !(made instanceof Later || made instanceof NoResponse || made instanceof Disconnect || made instanceof Unreadable || Effect.isEffect(made))

/** Connects an API with its handler. A handler that throws or dies costs its caller the connection, and nobody else anything. */
export const route = <A extends AnyApi>(api: A, options: RouteOptions, handle: (request: RequestOf<A>, context: RequestContext) => Handled<A>): Route => {
  const versions = options.versions ?? ([api.versions[0], api.latestStable] as const)
  const unordered = options.unordered ?? false
  const allowed = requestElementsMax(api.key)
  // Where there was too little memory for the elements that the API allows, the request is not at fault, and may be sent again over another connection.
  const refused = (error: DecodeError, version: number, elementsMax: number): unknown =>
    (error.kind === "elements" && elementsMax === allowed ? oversizedAnswer(api, version, error.message) : undefined) ?? new Unreadable(error)
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
    listed: options.listed ?? true,
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
    encode: (version, correlationId, answer) => responseFrame(api, version, correlationId, answer as ResponseDraft<A>),
    finish: function* (version, correlationId, answer) {
      let made = answer
      while (made instanceof Sliced) {
        const steps: Steps<unknown> = made.begin()
        // The steps let go of a large request as soon as they can: so must this.
        made = undefined
        made = yield* steps
      }
      if (!isAnswer(made)) return made
      const codes: Array<number> = []
      responseErrors(api)(made, (code) => codes.push(code))
      return new Encoded(yield* responseFrameInSlices(api, version, correlationId, made as ResponseDraft<A>), codes)
    }
  }
}
