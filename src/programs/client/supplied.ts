import { Effect, type Layer } from "effect"
import type { CliCommand } from "../../cli/shell/command.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { platform, transport } from "../platform.ts"

/**
 * Provides a command with the services of the platform when it runs: help and usage errors do without them, in half of
 * the time.
 */
const supplied =
  <S>(layer: Layer.Layer<S>) =>
  (command: CliCommand<S>): CliCommand<never> => ({
    ...command,
    run: (words, program) => Effect.provide(command.run(words, program), layer) as ReturnType<CliCommand<never>["run"]>
  })

/** For commands that read and write no messages. */
export const overTransport: (command: CliCommand<Transport>) => CliCommand<never> = supplied(transport)
/** For commands that read or write messages. */
export const onPlatform: (command: CliCommand<Transport | Checksum | Compression>) => CliCommand<never> = supplied(platform)
