import { Either } from "effect"
import { DecodeError } from "./decode-error.ts"
import { pathText } from "./path.ts"

/** What a reader throws inside the codec; the structs and arrays that it passes add where they were. It never leaves the codec: see `reading`. */
export class Malformed {
  /** Innermost first. */
  readonly path: Array<string> = []
  constructor(
    readonly position: number,
    readonly reason: string,
    readonly kind: DecodeError["kind"] = "malformed"
  ) {}
}

/** The one place where a Malformed becomes the DecodeError that the caller sees. `within` names what the bytes are part of. */
export const reading = <A>(read: () => A, within?: string): Either.Either<A, DecodeError> => {
  try {
    return Either.right(read())
  } catch (cause) {
    return Either.left(decodeErrorOf(cause, within))
  }
}

/** As `reading`, for a reader that pauses. */
export function* readingInSlices<A>(read: Generator<void, A>): Generator<void, Either.Either<A, DecodeError>> {
  try {
    return Either.right(yield* read)
  } catch (cause) {
    return Either.left(decodeErrorOf(cause))
  }
}

const decodeErrorOf = (cause: unknown, within?: string): DecodeError => {
  if (!(cause instanceof Malformed)) throw cause
  return new DecodeError(cause.position, pathText(cause.path, within), cause.reason, cause.kind)
}
