import { errorCode } from "../../../domain/kernel/error-code.ts"
import { SaslHandshake } from "../../protocol/message/17-sasl-handshake.ts"
import { SaslAuthenticate } from "../../protocol/message/36-sasl-authenticate.ts"
import { noBytes } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

const illegalState = errorCode("ILLEGAL_SASL_STATE")

/**
 * SaslHandshake 0-1 and SaslAuthenticate 0-2 on a PLAINTEXT listener, as in Kafka: ILLEGAL_SASL_STATE and no mechanism. They are advertised because clients tell
 * the age of a broker by them: franz-go takes a broker without SaslHandshake for 0.9.
 */
export const saslRoutes: ReadonlyArray<Route> = [
  route(SaslHandshake, {}, () => ({ errorCode: illegalState, mechanisms: [] })),
  route(SaslAuthenticate, {}, () => ({
    errorCode: illegalState,
    errorMessage: "This listener is PLAINTEXT: it does not authenticate clients. Connect with security.protocol=PLAINTEXT.",
    authBytes: noBytes
  }))
]
