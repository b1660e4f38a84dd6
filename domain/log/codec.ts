/** How the records of a batch are compressed, by Kafka's names. */
export type Codec = "none" | "gzip" | "snappy" | "lz4" | "zstd"

/** Every codec at the index of its id, the three lowest bits of a batch's attributes. */
export const codecs: ReadonlyArray<Codec> = ["none", "gzip", "snappy", "lz4", "zstd"]

/** The id of a codec in a batch's attributes, 0 to 4. */
export const codecId = (codec: Codec): number => codecs.indexOf(codec)
/** The codec of an id; 5 to 7 name none. */
export const codecOfId = (id: number): Codec | undefined => codecs[id]
/** Whether a word of a configuration names a codec. */
export const isCodec = (word: string): word is Codec => codecs.includes(word as Codec)
