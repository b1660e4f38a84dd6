import { Either } from "effect"

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Returns the value of a JSON text in UTF-8, or why it is none. */
export const parseJson = (bytes: Uint8Array): Either.Either<unknown, string> => {
  try {
    return Either.right(JSON.parse(utf8.decode(bytes)) as unknown)
  } catch (cause) {
    return Either.left(String(cause))
  }
}
