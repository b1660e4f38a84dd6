import { api, bytes, errorCode, int64, nullable, since, text } from "../type/wire.ts"

/**
 * Carries the tokens of the mechanism that SaslHandshake chose (KIP-152).
 *
 * Version 1 returns the session's lifetime in ms, after which the client authenticates again (KIP-368), 2 is flexible.
 */
export const SaslAuthenticate = api(
  { key: 36, name: "SaslAuthenticate", versions: [0, 2], flexible: 2 },
  {
    authBytes: bytes
  },
  {
    errorCode,
    errorMessage: nullable(text),
    authBytes: bytes,
    sessionLifetimeMs: since(1, int64, 0n, "ignorable")
  }
)
