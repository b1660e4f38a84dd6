import { Config, type ConfigError, Context, Effect, Layer, type Scope } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import type { CallError, InvalidAddress, InvalidArgument } from "../error.ts"
import { makeConsumer } from "./make.ts"
import type { ConsumerOptions } from "./options.ts"
import type { ConsumerService } from "./service.ts"

type Ports = Transport | Checksum | Compression
type MakeError = CallError | InvalidAddress | InvalidArgument

const ConsumerTag: Context.TagClass<Consumer, "comanche-franz/Consumer", ConsumerService> = Context.Tag("comanche-franz/Consumer")<Consumer, ConsumerService>()
/** Reads messages, as a member of a group or by partition. See `ConsumerOptions` for its settings. */
export class Consumer extends ConsumerTag {
  /**
   * Makes a consumer that closes with the scope: it commits and leaves its group, for `closeTimeoutMs` at most.
   * NotReachable when no node responds.
   */
  static readonly make = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Ports | Scope.Scope> => makeConsumer(options)
  static readonly layer = (options: ConsumerOptions): Layer.Layer<Consumer, MakeError, Ports> => Layer.scoped(Consumer, makeConsumer(options))
  /** Takes the options from Effect's Config: `Consumer.layerConfig({ leader: Config.string("FRANZ_LEADER") })`. */
  static readonly layerConfig = (options: Config.Config.Wrap<ConsumerOptions>): Layer.Layer<Consumer, MakeError | ConfigError.ConfigError, Ports> =>
    Layer.scoped(Consumer, Effect.flatMap(Config.unwrap(options), makeConsumer))
}
