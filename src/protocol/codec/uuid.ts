const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const sextets = new Int8Array(128).fill(-1)
for (let index = 0; index < 64; index++) sextets[alphabet.charCodeAt(index)] = index

/** The 16 bytes at `at` as Kafka's text: 22 characters of base64url without padding. The caller has checked that the bytes are there. */
export const uuidText = (bytes: Uint8Array, at: number): string => {
  let text = ""
  for (let index = 0; index < 15; index += 3) {
    const bits = ((bytes[at + index] ?? 0) << 16) | ((bytes[at + index + 1] ?? 0) << 8) | (bytes[at + index + 2] ?? 0)
    text += alphabet.charAt(bits >> 18) + alphabet.charAt((bits >> 12) & 63) + alphabet.charAt((bits >> 6) & 63) + alphabet.charAt(bits & 63)
  }
  const rest = bytes[at + 15] ?? 0
  return text + alphabet.charAt(rest >> 2) + alphabet.charAt((rest & 3) << 4)
}

/** Writes the 16 bytes of `text` to `into` at `at`; false where the text is not a UUID in Kafka's form. The caller has made the room. */
export const writeUuid = (text: string, into: Uint8Array, at: number): boolean => {
  if (text.length !== 22) return false
  let bits = 0
  let held = 0
  let next = at
  for (let index = 0; index < 22; index++) {
    const code = text.charCodeAt(index)
    const sextet = code < 128 ? (sextets[code] ?? -1) : -1
    if (sextet < 0) return false
    bits = ((bits << 6) | sextet) & 0xffff
    held += 6
    if (held >= 8) {
      held -= 8
      into[next++] = bits >> held
    }
  }
  // 22 characters hold 132 bits: the four that are left over are zero in a UUID's only text.
  return (bits & 15) === 0
}
