import { api, bytes, errorCode, int64, nullable, since, text } from "../type/wire.ts"

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
