import { Effect } from "effect"
import { CliFailure } from "./failure.ts"

/** Standard input that is not a file, a pipe or a terminal (`produce orders </`), or that the disk does not deliver. */
const unreadable =
  (directoryHint: string) =>
  (cause: unknown): CliFailure => {
    const { code = "", message } = cause as NodeJS.ErrnoException
    if (code === "EISDIR") return new CliFailure({ exit: "usage", message: "standard input is a directory.", hint: directoryHint })
    return new CliFailure({ exit: "disk", message: `standard input cannot be read: ${message}` })
  }

/**
 * Returns an effect that reads the next chunk of standard input; undefined at its end. The system holds back the writer
 * of a pipe while no chunk is asked for. `directoryHint` says what to give in place of a directory.
 */
export const stdinChunks = (directoryHint: string): Effect.Effect<Uint8Array | undefined, CliFailure> => {
  const input: AsyncIterator<Uint8Array> = process.stdin[Symbol.asyncIterator]()
  const next = Effect.tryPromise({ try: () => input.next(), catch: unreadable(directoryHint) })
  return Effect.map(next, ({ done, value }) => (done === true ? undefined : value))
}
