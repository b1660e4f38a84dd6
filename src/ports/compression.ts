import { Context, Data, type Either } from "effect"
import type { Codec } from "../../domain/log/codec.ts"

/** Compressed bytes that are none (`corrupt`), or that would unpack to more than was allowed (`tooLarge`). */
export class CompressionFault extends Data.TaggedError("CompressionFault")<{
  readonly codec: Codec
  readonly kind: "corrupt" | "tooLarge"
  readonly reason: string
}> {
  override get message(): string {
    return `${this.codec}: ${this.reason}`
  }
}

/** The codecs of record batches, as Kafka frames them. Plain functions: they are used where nothing may wait. */
export class Compression extends Context.Tag("comanche-franz/Compression")<
  Compression,
  {
    /** Kafka's framing of `codec`; the bytes themselves for none. `level` is how hard gzip (1 to 9, -1) and zstd (-131072 to 22) try; default: the codec's own. */
    readonly compress: (codec: Codec, bytes: Uint8Array, level?: number) => Uint8Array
    /** At most `maxBytes`, and never more memory than that is taken for the result. For none it is the bytes themselves, whatever their size. */
    readonly decompress: (codec: Codec, bytes: Uint8Array, maxBytes: number) => Either.Either<Uint8Array, CompressionFault>
    /** No more than this many bytes come out of `bytes`, told by their frames and blocks alone, without decompressing them; 0 where they are not of the codec. */
    readonly sizeBound: (codec: Codec, bytes: Uint8Array) => number
    /** Why Kafka's clients do not read bytes that `decompress` may read, as a sentence for the producer; undefined where they do. Linked LZ4 blocks (KIP-57). */
    readonly frameRefusal: (codec: Codec, bytes: Uint8Array) => string | undefined
    /** Which way was chosen for the codecs that have two. */
    readonly names: { readonly snappy: "native" | "typescript"; readonly lz4: "native" | "typescript" }
  }
>() {}
