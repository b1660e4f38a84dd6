import { afterAll, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Either, Option, Redacted } from "effect"
import { connection } from "../../../../src/cli/client/options.ts"
import type { SecurityWords } from "../../../../src/cli/client/security.ts"
import { temporaryDirectory } from "../../../interop/support/process.ts"
import { printed } from "../support.ts"

const directory = temporaryDirectory()
afterAll(() => directory.remove())
const file = (name: string, text: string): string => {
  const path = join(directory.path, name)
  writeFileSync(path, text)
  return path
}

type Given = { readonly [K in keyof SecurityWords]?: SecurityWords[K] extends boolean ? boolean : string } & { readonly leader?: string }
const names = ["leader", "ca", "cert", "certKey", "saslMechanism", "username", "passwordFile", "commandConfig"] as const
const optionsOf = (given: Given) => {
  const texts = Object.fromEntries(names.map((name) => [name, Option.fromNullable(given[name])])) as never as SecurityWords & {
    readonly leader: Option.Option<string>
  }
  return Effect.runSync(Effect.either(connection({ ...texts, tls: given.tls ?? false }, "test")))
}
const shown = (given: Given): Record<string, unknown> => {
  const { sasl, tls, ...rest } = Either.getOrThrow(optionsOf(given)) as never as Record<string, any>
  const open = (secret: unknown) => (Redacted.isRedacted(secret) ? Redacted.value(secret) : secret)
  const opened = (part: unknown) =>
    typeof part === "object" && part !== null ? Object.fromEntries(Object.entries(part).map(([name, value]) => [name, open(value)])) : part
  return { ...rest, tls: opened(tls), sasl: opened(sasl) }
}
const refusal = (given: Given): string => {
  const refused = Either.flip(optionsOf(given))
  const { exit, hint, message } = Either.getOrThrow(refused)
  expect(exit).toBe("usage")
  return `${message} ${hint ?? ""}`
}

test("options of TLS and SASL, with the secrets wrapped", () => {
  const ca = file("ca.pem", "CA")
  expect(shown({ leader: "a:1" })).toMatchObject({ leader: "a:1", clientId: "franz-test", tls: undefined, sasl: undefined })
  expect(shown({ tls: true }).tls).toEqual({})
  expect(shown({ ca }).tls).toEqual({ ca: "CA" })
  expect(shown({ ca, cert: file("c.pem", "C"), certKey: file("k.pem", "K") }).tls).toEqual({ ca: "CA", certificate: "C", privateKey: "K" })
  const passwordFile = file("password", "s3cret \nanother line\n")
  expect(shown({ saslMechanism: "scram-sha-512", username: "alice", passwordFile }).sasl).toEqual({
    mechanism: "SCRAM-SHA-512",
    username: "alice",
    password: "s3cret "
  })
  expect(JSON.stringify(optionsOf({ saslMechanism: "PLAIN", username: "alice", passwordFile }))).not.toContain("s3cret")
})

test("what contradicts itself, or cannot be read, is a usage error that says what to do", () => {
  const password = file("empty", "\n")
  expect(refusal({ cert: "c.pem" })).toContain("--cert and --cert-key are given together")
  expect(refusal({ username: "alice" })).toContain("--sasl-mechanism, --username and --password-file are given together")
  expect(refusal({ saslMechanism: "GSSAPI", username: "a", passwordFile: password })).toContain("allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512")
  expect(refusal({ saslMechanism: "OAUTHBEARER", username: "a", passwordFile: password })).toContain("option `sasl`")
  expect(refusal({ saslMechanism: "PLAIN", username: "a", passwordFile: password })).toContain("its first line is empty")
  expect(refusal({ ca: "/nowhere/ca.pem" })).toContain("--ca /nowhere/ca.pem cannot be read")
  expect(refusal({ commandConfig: "/nowhere/client.properties" })).toContain("--command-config /nowhere/client.properties cannot be read")
})

test("a properties file of Kafka's clients, with options before it", async () => {
  const config = file(
    "client.properties",
    [
      "# as for kafka-topics.sh",
      "bootstrap.servers=kafka-1:9093,kafka-2:9093",
      "security.protocol=SASL_SSL",
      "ssl.truststore.type=PEM",
      `ssl.truststore.location=${file("trust.pem", "TRUST")}`,
      "ssl.keystore.type=PEM",
      `ssl.keystore.location=${file("store.pem", "CERTIFICATE AND KEY")}`,
      "ssl.key.password=opens",
      "sasl.mechanism=PLAIN",
      'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="al\\\\"ice" password=\'it is "so"\';',
      "client.id=tools",
      "retries=7"
    ].join("\n")
  )
  let read: ReturnType<typeof shown> | undefined
  const warned = await printed("stderr", async () => {
    read = shown({ commandConfig: config })
  })
  expect(warned).toContain("settings without effect here: retries.")
  expect(read).toEqual({
    leader: "kafka-1:9093,kafka-2:9093",
    clientId: "tools",
    tls: { ca: "TRUST", certificate: "CERTIFICATE AND KEY", privateKey: "CERTIFICATE AND KEY", passphrase: "opens" },
    sasl: { mechanism: "PLAIN", username: 'al"ice', password: 'it is "so"' }
  })
  await printed("stderr", async () => {
    expect(shown({ commandConfig: config, leader: "other:1", ca: file("ca.pem", "CA") })).toMatchObject({
      leader: "other:1",
      tls: { ca: "CA", passphrase: "opens" }
    })
  })
})

test("librdkafka's names of the same settings", () => {
  const lines = [
    "security.protocol=sasl_ssl",
    `ssl.ca.location=${file("rd.pem", "RD")}`,
    "sasl.mechanisms=SCRAM-SHA-256",
    "sasl.username=bob",
    "sasl.password=p"
  ]
  expect(shown({ commandConfig: file("rd.properties", lines.join("\n")) })).toMatchObject({
    tls: { ca: "RD" },
    sasl: { mechanism: "SCRAM-SHA-256", username: "bob", password: "p" }
  })
})

test("a file that says what the client cannot do", () => {
  const says = (...lines: ReadonlyArray<string>) => refusal({ commandConfig: file("wrong.properties", lines.join("\n")) })
  expect(says("security.protocol=TLS")).toContain("allowed: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL")
  expect(says("security.protocol=SSL", "ssl.truststore.location=/etc/trust.jks")).toContain("ssl.truststore.type is JKS; allowed: PEM.")
  expect(says("security.protocol=SSL", "ssl.endpoint.identification.algorithm=")).toContain("is always checked")
  expect(says("security.protocol=SASL_SSL")).toContain('sasl.mechanism is "GSSAPI"')
  expect(says("security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN")).toContain("sasl.jaas.config has no username and password")
})
