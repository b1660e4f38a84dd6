import { readFileSync } from "node:fs"
import { Effect, Option, Redacted } from "effect"
import type { ConnectionOptions } from "../../client/options.ts"
import type { SaslOptions, TlsOptions } from "../../client/security/options.ts"
import { CliFailure } from "../shell/failure.ts"
import { flag, optionalText } from "../shell/spec.ts"

/** TLS and authentication, for every command that connects to a cluster. */
export const securityOptions = {
  tls: flag({ name: "tls", help: "Connect over TLS. --ca and --cert imply it." }),
  ca: optionalText({ name: "ca", placeholder: "FILE", help: "The certification authorities to trust, in PEM (those of the system)." }),
  cert: optionalText({ name: "cert", placeholder: "FILE", help: "The client's certificate with its chain, in PEM." }),
  certKey: optionalText({ name: "cert-key", placeholder: "FILE", help: "The private key of --cert, in PEM, without a passphrase." }),
  saslMechanism: optionalText({ name: "sasl-mechanism", placeholder: "NAME", help: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512." }),
  username: optionalText({ name: "username", placeholder: "NAME", help: "The user to authenticate as." }),
  passwordFile: optionalText({ name: "password-file", placeholder: "FILE", help: "A file whose first line is the password." }),
  commandConfig: optionalText({
    name: "command-config",
    placeholder: "FILE",
    help: "A properties file with the names of Kafka's clients, as --command-config of Kafka's tools. Options override it."
  })
}
export interface SecurityWords {
  readonly tls: boolean
  readonly ca: Option.Option<string>
  readonly cert: Option.Option<string>
  readonly certKey: Option.Option<string>
  readonly saslMechanism: Option.Option<string>
  readonly username: Option.Option<string>
  readonly passwordFile: Option.Option<string>
  readonly commandConfig: Option.Option<string>
}
export type Security = Pick<ConnectionOptions, "tls" | "sasl">

export const usage = (message: string, hint?: string): CliFailure => new CliFailure({ exit: "usage", message, hint })

/** Reads a file that an option or a setting names. */
export const textOf = (path: string, named: string): Effect.Effect<string, CliFailure> =>
  Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)),
    catch: (cause) => usage(`${named} ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`)
  })

const passwordMechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const
type PasswordMechanism = (typeof passwordMechanisms)[number]
/** Returns the mechanism by its name; undefined for one that a command cannot use. */
export const mechanismOf = (name: string): PasswordMechanism | undefined => passwordMechanisms.find((known) => known === name.toUpperCase())
export const unknownMechanism = (named: string, name: string): CliFailure =>
  usage(
    `${named} is ${JSON.stringify(name)}; allowed: ${passwordMechanisms.join(", ")}.`,
    name.toUpperCase() === "OAUTHBEARER" ? "A token needs a program: use the library's option `sasl` with mechanism OAUTHBEARER." : undefined
  )

const tlsOf = ({ ca, cert, certKey }: SecurityWords, before: ConnectionOptions["tls"]): Effect.Effect<TlsOptions, CliFailure> =>
  Effect.gen(function* () {
    if (Option.isSome(cert) !== Option.isSome(certKey)) return yield* usage("--cert and --cert-key are given together: the certificate, and its private key.")
    const files = {
      ca: Option.isSome(ca) ? yield* textOf(ca.value, "--ca") : undefined,
      certificate: Option.isSome(cert) ? yield* textOf(cert.value, "--cert") : undefined,
      privateKey: Option.isSome(certKey) ? Redacted.make(yield* textOf(certKey.value, "--cert-key")) : undefined
    }
    const given = Object.fromEntries(Object.entries(files).filter(([, value]) => value !== undefined))
    return { ...(typeof before === "object" ? before : {}), ...given }
  })

const saslOf = ({ passwordFile, saslMechanism, username }: SecurityWords): Effect.Effect<SaslOptions, CliFailure> =>
  Effect.gen(function* () {
    if (Option.isNone(saslMechanism) || Option.isNone(username) || Option.isNone(passwordFile))
      return yield* usage("--sasl-mechanism, --username and --password-file are given together.")
    const mechanism = mechanismOf(saslMechanism.value)
    if (mechanism === undefined) return yield* unknownMechanism("--sasl-mechanism", saslMechanism.value)
    const [password = ""] = (yield* textOf(passwordFile.value, "--password-file")).split(/\r?\n/, 1)
    if (password === "") return yield* usage(`--password-file ${passwordFile.value}: its first line is empty; the password is expected there.`)
    return { mechanism, username: username.value, password: Redacted.make(password) }
  })

/** Returns TLS and SASL as the options say; `before` is what the properties file has. */
export const securityOf = (words: SecurityWords, before: Security): Effect.Effect<Security, CliFailure> =>
  Effect.gen(function* () {
    const { ca, cert, certKey, passwordFile, saslMechanism, tls, username } = words
    const security: { tls?: ConnectionOptions["tls"]; sasl?: SaslOptions } = { ...before }
    if (tls || [ca, cert, certKey].some(Option.isSome)) security.tls = yield* tlsOf(words, before.tls)
    if ([saslMechanism, username, passwordFile].some(Option.isSome)) security.sasl = yield* saslOf(words)
    return security as Security
  })
