import { Effect, Either } from "effect"
import type { CliCommand } from "../../../src/cli/shell/command.ts"
import type { CliFailure } from "../../../src/cli/shell/failure.ts"

/** Parses and runs a command; its failure, if it failed. */
export const failureOf = (command: CliCommand<never>, words: ReadonlyArray<string>): CliFailure | undefined =>
  Effect.runSync(
    command.run(words, "franz").pipe(
      Effect.either,
      Effect.map((outcome) => (Either.isLeft(outcome) ? outcome.left : undefined))
    )
  )

/** What a function prints on one of the streams. */
export const printed = async (stream: "stdout" | "stderr", run: () => Promise<unknown>): Promise<string> => {
  const real = process[stream].write
  let text = ""
  process[stream].write = ((chunk: string | Uint8Array, done?: () => void) => {
    text += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
    done?.()
    return true
  }) as typeof real
  try {
    await run()
    return text
  } finally {
    process[stream].write = real
  }
}
