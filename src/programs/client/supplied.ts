import { Effect, type Layer } from "effect"
import type { CliCommand } from "../../cli/shell/command.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { platform, transport } from "../platform.ts"

/** A command with what it needs from the platform, made when it runs: help and wrong words come without it, which is half of their time. */
const supplied =
  <S>(layer: Layer.Layer<S>) =>
  (command: CliCommand<S>): CliCommand<never> => ({
    ...command,
    run: (words, program) => Effect.provide(command.run(words, program), layer) as ReturnType<CliCommand<never>["run"]>
  })

/** For commands that ask and order, and read no messages. */
export const overTransport: (command: CliCommand<Transport>) => CliCommand<never> = supplied(transport)
/** For commands that read or write messages. */
export const onPlatform: (command: CliCommand<Transport | Checksum | Compression>) => CliCommand<never> = supplied(platform)
