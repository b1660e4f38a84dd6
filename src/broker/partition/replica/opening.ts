import { decompressedBytesUnbounded, entriesOf, type TopicConfig } from "../../../../domain/kernel/config.ts"
import { type Codec, isCodec } from "../../../../domain/log/codec.ts"
import type { OpeningRules } from "../../../../domain/log/open-batch.ts"

/** The codec that a topic keeps its batches in; undefined: the producer's. */
const codecOf = (type: string): Codec | undefined => (type === "uncompressed" ? "none" : isCodec(type) ? type : undefined)

const levelOf = (config: TopicConfig, codec: Codec | undefined): number | undefined =>
  codec === "gzip" ? config["compression.gzip.level"] : codec === "zstd" ? config["compression.zstd.level"] : undefined

/** What the broker does with the records of every batch of a topic; undefined where its settings need the header alone. */
export const openingRules = (config: TopicConfig): OpeningRules | undefined => {
  const codec = codecOf(config["compression.type"])
  const needsKeys = entriesOf(config["cleanup.policy"]).includes("compact")
  // The header knows the latest time in a batch, and not the earliest.
  const checksTimes = config["message.timestamp.type"] === "CreateTime" && config["message.timestamp.before.max.ms"] !== Number.MAX_SAFE_INTEGER
  const most = config["max.decompressed.message.bytes"]
  const recordBytesMax = most === decompressedBytesUnbounded ? undefined : most
  const isHeaderEnough = config["franz.produce.validate"] === "header" && codec === undefined && !needsKeys && !checksTimes && recordBytesMax === undefined
  return isHeaderEnough ? undefined : { codec, level: levelOf(config, codec), needsKeys, recordBytesMax }
}
