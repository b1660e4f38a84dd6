import { sha256 } from "../../kernel/sha256.ts"

/** Bytes of the digest that are kept: as long as the UUID that it stands for. */
const digestBytes = 16
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const utf8 = new TextEncoder()

/** Base64 for URLs, without padding. */
const base64url = (bytes: Uint8Array): string => {
  let text = ""
  for (let bit = 0; bit < bytes.length * 8; bit += 6) {
    const at = bit >> 3
    const sixteen = ((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0)
    text += letters[(sixteen >> (10 - (bit & 7))) & 0x3f]
  }
  return text
}

/**
 * What the journal says of a broker process's incarnation id. The id is drawn at random when the process starts, and
 * only that process and the leader know it: what shows it on another connection is the same process. Any client can
 * read the journal, so that holds a digest (SHA-256, 128 bits of it).
 */
export const incarnationDigest = (incarnationId: string): string =>
  base64url(sha256(utf8.encode(`franz incarnation ${incarnationId}`)).subarray(0, digestBytes))
