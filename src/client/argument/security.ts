import { Effect, Redacted } from "effect"
import type { TlsOptions } from "../security/options.ts"
import { type Check, either, type Fields, fields, isPlain, listOf, oneOf, optional, text, yesOrNo } from "./check.ts"

/** Texts of PEM, passwords and keys, at most. */
const secretCharactersMax = 1_000_000
const pem = text(secretCharactersMax)
export const secret: Check = (value, field) => {
  const inner = Redacted.isRedacted(value) ? Redacted.value(value) : value
  const isText = typeof inner === "string" && inner !== "" && inner.length <= secretCharactersMax && inner.isWellFormed()
  return isText ? undefined : { field, given: inner, allowed: "a text that is not empty, or a Redacted of one" }
}
/** Fields whose texts an error may show. A misspelt field may hold a secret. */
const harmless = /\.(mechanism|username|serverName)$/
export const withoutSecrets =
  (check: Check): Check =>
  (value, field) => {
    const wrong = check(value, field)
    const hides = typeof wrong?.given === "string" && wrong.given !== "" && !harmless.test(wrong.field)
    return wrong !== undefined && hides ? { ...wrong, given: Object("") } : wrong
  }
const tlsFields: Fields<TlsOptions> = {
  ca: optional(either(pem, listOf(pem, "PEM texts", 1))),
  certificate: optional(pem),
  privateKey: optional(secret),
  passphrase: optional(secret),
  serverName: optional(text(255)),
  dangerouslyAcceptAnyCertificate: optional(yesOrNo)
}
const tlsObject = fields(tlsFields, "true, false or an object of TLS options")
const wholeTls: Check = (value, field) => {
  if (typeof value === "boolean") return undefined
  const wrong = tlsObject(value, field)
  if (wrong !== undefined || !isPlain(value)) return wrong
  const [has, lacks] = value["certificate"] === undefined ? ["privateKey", "certificate"] : ["certificate", "privateKey"]
  return value[has] !== undefined && value[lacks] === undefined
    ? { field: `${field}.${lacks}`, given: undefined, allowed: `a PEM text, since ${has} is set` }
    : undefined
}
const mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
const mechanism = oneOf(...mechanisms)
/** RFC 4616 separates name and password by NUL. */
const userName: Check = (value, field) =>
  typeof value === "string" && !value.includes("\0") ? text(10_000)(value, field) : { field, given: value, allowed: "a text without NUL characters" }
const byPassword = fields({ mechanism, username: userName, password: secret }, "an object with mechanism, username and password")
const anEffect: Check = (value, field) => (Effect.isEffect(value) ? undefined : { field, given: value, allowed: "an Effect that gives a token" })
const byToken = fields({ mechanism, token: anEffect }, "an object with mechanism and token")
const wholeSasl: Check = (value, field) => {
  if (!isPlain(value)) return { field, given: value, allowed: "an object with a mechanism" }
  return mechanism(value["mechanism"], `${field}.mechanism`) ?? (value["mechanism"] === "OAUTHBEARER" ? byToken : byPassword)(value, field)
}

/** The checks of the options `tls` and `sasl`. */
export const tls: Check = withoutSecrets(wholeTls)
export const sasl: Check = withoutSecrets(wholeSasl)
