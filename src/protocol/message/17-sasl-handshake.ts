import { api, array, errorCode, text } from "../type/wire.ts"

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
