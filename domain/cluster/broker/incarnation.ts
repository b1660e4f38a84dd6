import { Encoding } from "effect"
import { sha256 } from "../../kernel/sha256.ts"

/** Bytes of the digest that are kept: as many as a UUID has. */
const digestBytes = 16
const utf8 = new TextEncoder()

/**
 * Returns the digest of a broker process's incarnation id that the journal holds: 128 bits of its SHA-256. The process
 * draws the id at random when it starts, and only the process and the leader know it: the id proves on another
 * connection that the same process is at the other end. Any client can read the journal, so the journal must not hold
 * the id itself.
 */
export const incarnationDigest = (incarnationId: string): string =>
  Encoding.encodeBase64Url(sha256(utf8.encode(`franz incarnation ${incarnationId}`)).subarray(0, digestBytes))
