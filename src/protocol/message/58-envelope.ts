import { api, bytes, errorCode, nullable, withDefault } from "../type/wire.ts"

/**
 * Carries a whole request, header included, from the broker that got it to the controller, with who sent it (KIP-590). The response carries the whole
 * response.
 */
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
