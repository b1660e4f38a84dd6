import { Encoding } from "effect"
import { sha256 } from "../../kernel/sha256.ts"

/** Bytes of the digest that are kept: as long as the UUID that it stands for. */
const digestBytes = 16
const utf8 = new TextEncoder()

/**
 * What the journal says of a broker process's incarnation id. The id is drawn at random when the process starts, and
 * only that process and the leader know it: what shows it on another connection is the same process. Any client can
 * read the journal, so that holds a digest (SHA-256, 128 bits of it).
 */
export const incarnationDigest = (incarnationId: string): string =>
  Encoding.encodeBase64Url(sha256(utf8.encode(`franz incarnation ${incarnationId}`)).subarray(0, digestBytes))
