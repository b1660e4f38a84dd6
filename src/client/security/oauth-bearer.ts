import { Effect, Redacted } from "effect"
import { isPlain } from "../argument/check.ts"
import { type OAuthToken, secret } from "./options.ts"

/** A token of this many characters is larger than any request for it should be. */
const tokenCharactersMax = 1_000_000
/** RFC 6750: the characters of a bearer token. */
const tokenPattern = /^[A-Za-z0-9\-._~+/]+=*$/
/** RFC 7628, 3.1: names of extensions are letters; `auth` is the token's own. Values have no control characters. */
const extensionName = /^[A-Za-z]+$/
const extensionValue = /^[\x20-\x7e\t\r\n]*$/

interface TokenFault {
  readonly reason: string
  readonly temporary: boolean
}
const utf8 = new TextEncoder()

const described = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : "no reason was given"
  return text.slice(0, 200)
}

/** Runs the caller's effect. Its failure and its defect are reasons. */
export const tokenOf = (token: Effect.Effect<OAuthToken, unknown>): Effect.Effect<OAuthToken, TokenFault> =>
  Effect.catchAllDefect(token, (defect) => Effect.fail(defect)).pipe(
    Effect.mapError((cause) => ({ reason: `sasl.token failed: ${described(cause)}`, temporary: true }))
  )

/** Returns the client's message (RFC 7628, 3.1). Its errors never contain the token. */
export const bearerMessage = (token: OAuthToken): Effect.Effect<Uint8Array, TokenFault> => {
  const wrong = (reason: string) => Effect.fail({ reason, temporary: false })
  if (!isPlain(token) || (typeof token.value !== "string" && !Redacted.isRedacted(token.value))) return wrong("sasl.token did not give an object with a value.")
  const value = Redacted.value(secret(token.value))
  if (typeof value !== "string" || value.length > tokenCharactersMax || !tokenPattern.test(value))
    return wrong("sasl.token gave a value that is no bearer token (RFC 6750: letters, digits and -._~+/, with = at the end).")
  const extensions = Object.entries(token.extensions ?? {})
  const bad = extensions.find(
    ([name, text]) => !extensionName.test(name) || name.toLowerCase() === "auth" || typeof text !== "string" || !extensionValue.test(text)
  )
  if (bad !== undefined) return wrong(`sasl.token gave an extension that cannot be sent: ${JSON.stringify(bad[0].slice(0, 64))}.`)
  const fields = [`auth=Bearer ${value}`, ...extensions.map(([name, text]) => `${name}=${text}`)]
  return Effect.succeed(utf8.encode(`n,,\x01${fields.join("\x01")}\x01\x01`))
}

/** Describes the JSON with which a node refuses a token (RFC 7628, 3.2.2). */
export const errorOfToken = (response: Uint8Array): string => {
  const text = new TextDecoder().decode(response.subarray(0, 4096))
  try {
    const { scope, status }: Readonly<Record<string, unknown>> = JSON.parse(text)
    return `status ${String(status)}${scope === undefined || scope === null ? "" : `, scope ${String(scope)}`}`
  } catch {
    return text
  }
}
