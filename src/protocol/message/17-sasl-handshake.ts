import { api, array, errorCode, text } from "../type/wire.ts"

/**
 * Chooses the SASL mechanism of a connection. It is never flexible, since older clients choose its version before they know better.
 *
 * After version 0 raw SASL tokens follow without any framing; after version 1 they come in SaslAuthenticate (KIP-152).
 */
export const SaslHandshake = api(
  { key: 17, name: "SaslHandshake", versions: [0, 1] },
  {
    mechanism: text
  },
  {
    errorCode,
    mechanisms: array(text)
  }
)
