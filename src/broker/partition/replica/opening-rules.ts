import { decompressedBytesUnbounded, entriesOf, type TopicConfig } from "../../../../domain/kernel/config.ts"
import { type Codec, isCodec } from "../../../../domain/log/codec.ts"
import type { OpeningRules } from "../../../../domain/log/open-batch.ts"

/** The codec in which a topic stores its batches; undefined for the producer's. */
const codecOf = (type: string): Codec | undefined => (type === "uncompressed" ? "none" : isCodec(type) ? type : undefined)

const levelOf = (config: TopicConfig, codec: Codec | undefined): number | undefined =>
  codec === "gzip" ? config["compression.gzip.level"] : codec === "zstd" ? config["compression.zstd.level"] : undefined

/** What the broker does with the records of every batch of a topic; undefined where its settings need the header alone. */
export const openingRules = (config: TopicConfig): OpeningRules | undefined => {
  const codec = codecOf(config["compression.type"])
  const needsKeys = entriesOf(config["cleanup.policy"]).includes("compact")
  // The header has the largest timestamp of a batch, not the smallest.
  const checksTimes = config["message.timestamp.type"] === "CreateTime" && config["message.timestamp.before.max.ms"] !== Number.MAX_SAFE_INTEGER
  const bytesMax = config["max.decompressed.message.bytes"]
  const recordBytesMax = bytesMax === decompressedBytesUnbounded ? undefined : bytesMax
  const isHeaderEnough = config["franz.produce.validate"] === "header" && codec === undefined && !needsKeys && !checksTimes && recordBytesMax === undefined
  return isHeaderEnough ? undefined : { codec, level: levelOf(config, codec), needsKeys, recordBytesMax }
}
