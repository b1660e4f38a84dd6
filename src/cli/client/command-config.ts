import { Effect, Redacted } from "effect"
import { parseProperties } from "../../../domain/kernel/config/properties.ts"
import type { SaslOptions, TlsOptions } from "../../client/security/options.ts"
import type { CliFailure } from "../shell/failure.ts"
import { printError } from "../shell/screen.ts"
import { mechanismOf, type Security, textOf, unknownMechanism, usage } from "./security.ts"

/** What a properties file of a client says about the connection. */
interface FileConnection extends Security {
  readonly leader?: string
  readonly clientId?: string
}

/** The settings of a file, by their names. */
type Properties = ReadonlyMap<string, string>

/** Settings that the commands read. Others are named in a warning, as by Kafka's tools. */
const known = [
  "bootstrap.servers",
  "client.id",
  "security.protocol",
  "ssl.truststore.type",
  "ssl.truststore.location",
  "ssl.truststore.certificates",
  "ssl.keystore.type",
  "ssl.keystore.location",
  "ssl.keystore.certificate.chain",
  "ssl.keystore.key",
  "ssl.key.password",
  "ssl.endpoint.identification.algorithm",
  "sasl.mechanism",
  "sasl.jaas.config",
  // librdkafka's names.
  "ssl.ca.location",
  "ssl.certificate.location",
  "ssl.key.location",
  "sasl.mechanisms",
  "sasl.username",
  "sasl.password"
]
const protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]

/** Returns the PEM text that a setting holds, or whose file another names; undefined where neither is set. */
const pemOf = (settings: Properties, inline: string | undefined, ...locations: ReadonlyArray<string>): Effect.Effect<string | undefined, CliFailure> => {
  const text = inline === undefined ? undefined : settings.get(inline)
  if (text !== undefined && text !== "") return Effect.succeed(text)
  const name = locations.find((one) => (settings.get(one) ?? "") !== "")
  return name === undefined ? Effect.succeed(undefined) : textOf(settings.get(name) as string, name)
}

const refuseStores = (settings: Properties): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    for (const store of ["truststore", "keystore"]) {
      const type = settings.get(`ssl.${store}.type`) ?? (settings.has(`ssl.${store}.location`) ? "JKS" : "PEM")
      if (type.toUpperCase() !== "PEM")
        return yield* usage(
          `ssl.${store}.type is ${type}; allowed: PEM.`,
          `Convert the store with keytool and openssl, and set ssl.${store}.type=PEM with ssl.${store}.location.`
        )
    }
    if (settings.get("ssl.endpoint.identification.algorithm") === "")
      return yield* usage(
        "ssl.endpoint.identification.algorithm is empty; the name in a node's certificate is always checked.",
        "Give the nodes certificates with the names that clients connect to."
      )
  })

const tlsOf = (settings: Properties): Effect.Effect<TlsOptions, CliFailure> =>
  Effect.gen(function* () {
    yield* refuseStores(settings)
    const ca = yield* pemOf(settings, "ssl.truststore.certificates", "ssl.truststore.location", "ssl.ca.location")
    const certificate = yield* pemOf(settings, "ssl.keystore.certificate.chain", "ssl.keystore.location", "ssl.certificate.location")
    // A PEM keystore of Kafka's holds the certificates and the key in one file.
    const privateKey = yield* pemOf(settings, "ssl.keystore.key", "ssl.key.location", "ssl.keystore.location")
    const passphrase = settings.get("ssl.key.password")
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(privateKey === undefined ? {} : { privateKey: Redacted.make(privateKey) }),
      ...(passphrase === undefined ? {} : { passphrase: Redacted.make(passphrase) })
    }
  })

/** Reads an option of a login module: `username="alice"`, with \" and \\ in the text, in either kind of quotes. */
const ofJaas = (jaas: string, option: string): string | undefined => {
  const match = new RegExp(`\\b${option}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|'((?:[^'\\\\]|\\\\.)*)'|([^\\s;"']+))`).exec(jaas)
  return (match?.[1] ?? match?.[2])?.replaceAll(/\\(.)/g, "$1") ?? match?.[3]
}

const saslOf = (settings: Properties, path: string): Effect.Effect<SaslOptions, CliFailure> =>
  Effect.gen(function* () {
    const name = settings.get("sasl.mechanism") ?? settings.get("sasl.mechanisms") ?? "GSSAPI"
    const mechanism = mechanismOf(name)
    if (mechanism === undefined) return yield* unknownMechanism("sasl.mechanism", name)
    const jaas = settings.get("sasl.jaas.config") ?? ""
    const username = settings.get("sasl.username") ?? ofJaas(jaas, "username")
    const password = settings.get("sasl.password") ?? ofJaas(jaas, "password")
    if (username === undefined || password === undefined || password === "")
      return yield* usage(
        `${path}: sasl.jaas.config has no username and password.`,
        'An example: sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="…";'
      )
    return { mechanism, username, password: Redacted.make(password) }
  })

/** Reads a properties file with the names of Kafka's clients. */
export const commandConfig = (path: string): Effect.Effect<FileConnection, CliFailure> =>
  Effect.gen(function* () {
    const entries = parseProperties(yield* textOf(path, "--command-config"), path)
    const unreadable = entries.find((entry) => entry.unreadable !== undefined)
    if (unreadable?.unreadable !== undefined) return yield* usage(`${unreadable.from}: ${unreadable.unreadable}`)
    const settings: Properties = new Map(entries.map(({ name, value }) => [name, value.trim()]))
    const unknown = [...settings.keys()].filter((name) => !known.includes(name))
    if (unknown.length > 0) printError(`${path}: settings without effect here: ${unknown.join(", ")}.`)
    const protocol = (settings.get("security.protocol") ?? "PLAINTEXT").toUpperCase()
    if (!protocols.includes(protocol)) return yield* usage(`${path}: security.protocol is ${protocol}; allowed: ${protocols.join(", ")}.`)
    const leader = settings.get("bootstrap.servers")
    const clientId = settings.get("client.id")
    return {
      ...(leader === undefined ? {} : { leader }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(protocol.endsWith("SSL") ? { tls: yield* tlsOf(settings) } : {}),
      ...(protocol.startsWith("SASL") ? { sasl: yield* saslOf(settings, path) } : {})
    }
  })
