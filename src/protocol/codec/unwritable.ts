import { EncodeError } from "./encode-error.ts"
import { pathText } from "./path.ts"

/** What a writer throws inside the codec; the structs and arrays that it passes add where they were. It never leaves the codec: see `writing`. */
export class Unwritable {
  /** Innermost first. */
  readonly path: Array<string> = []
  constructor(readonly reason: string) {}
}
export const unwritable = (reason: string): never => {
  throw new Unwritable(reason)
}

/** The one place where an Unwritable becomes the EncodeError that the caller sees. `within` names what the bytes are part of. */
export const writing = (write: () => void, within?: string): void => {
  try {
    write()
  } catch (cause) {
    throw encodeErrorOf(cause, within)
  }
}

/** As `writing`, for a writer that pauses. */
export function* writingInSlices(write: Generator<void, void>): Generator<void, void> {
  try {
    yield* write
  } catch (cause) {
    throw encodeErrorOf(cause)
  }
}

const encodeErrorOf = (cause: unknown, within?: string): unknown =>
  cause instanceof Unwritable ? new EncodeError(pathText(cause.path, within), cause.reason) : cause
