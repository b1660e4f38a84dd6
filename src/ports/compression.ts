import { Context, Data, type Either } from "effect"
import type { Codec } from "../../domain/log/codec.ts"
import type { TaggedErrorClass } from "./tagged-error.ts"

const CompressionFaultError: TaggedErrorClass<"CompressionFault"> = Data.TaggedError("CompressionFault")
/**
 * The bytes are damaged or of another format (`corrupt`), or would decompress to more bytes than the caller allowed
 * (`tooLarge`).
 */
export class CompressionFault extends CompressionFaultError<{
  readonly codec: Codec
  readonly kind: "corrupt" | "tooLarge"
  readonly reason: string
}> {
  override get message(): string {
    return `${this.codec}: ${this.reason}`
  }
}

/**
 * The codecs of record batches, in the frames that Kafka uses. Plain functions, since Produce and the consumer call
 * them between two steps that must not wait.
 */
interface CompressionService {
  /**
   * Returns `bytes` compressed in Kafka's frame of `codec`; for none, `bytes` themselves. `level` is that of gzip (1
   * to 9, -1) or zstd (-131072 to 22); default: the codec's own.
   */
  readonly compress: (codec: Codec, bytes: Uint8Array, level?: number) => Uint8Array
  /**
   * Returns at most `maxBytes`, and allocates no more than that for the result. For none it returns `bytes`
   * themselves, whatever their size.
   */
  readonly decompress: (codec: Codec, bytes: Uint8Array, maxBytes: number) => Either.Either<Uint8Array, CompressionFault>
  /**
   * Returns an upper bound of the decompressed size, from the headers of frames and blocks, without decompressing; 0
   * where the bytes are not of the codec.
   */
  readonly sizeBound: (codec: Codec, bytes: Uint8Array) => number
  /**
   * Returns why Kafka's clients cannot read bytes that `decompress` may read, as a sentence for the producer;
   * undefined where they can. Linked LZ4 blocks (KIP-57).
   */
  readonly frameRefusal: (codec: Codec, bytes: Uint8Array) => string | undefined
  /** The implementations that were chosen for the codecs that have two. */
  readonly names: { readonly snappy: "native" | "typescript"; readonly lz4: "native" | "typescript" }
}
const CompressionTag: Context.TagClass<Compression, "comanche-franz/Compression", CompressionService> = Context.Tag("comanche-franz/Compression")<
  Compression,
  CompressionService
>()
/** See `CompressionService`. */
export class Compression extends CompressionTag {}
