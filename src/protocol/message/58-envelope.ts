import { api, bytes, errorCode, nullable, withDefault } from "../type/wire.ts"

export const Envelope = api(
  { key: 58, name: "Envelope", versions: [0, 0], flexible: 0 },
  {
    requestData: bytes,
    requestPrincipal: nullable(bytes),
    clientHostAddress: bytes
  },
  {
    responseData: withDefault(nullable(bytes), null),
    errorCode
  }
)
