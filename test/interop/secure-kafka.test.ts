import { afterAll, beforeAll, describe, expect } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Either, Schedule } from "effect"
import { kafkaAvailable } from "../../scripts/bench/broker.ts"
import type { ConnectionOptions } from "../../src/client/options.ts"
import { authenticate } from "../../src/client/security/authentication.ts"
import { makeConnector } from "../../src/client/security/connector.ts"
import { type SaslOptions, type SaslSettings, securitySettings } from "../../src/client/security/options.ts"
import { Cryptography } from "../../src/ports/cryptography.ts"
import { Admin } from "../../src/programs/library.ts"
import { transport } from "../../src/programs/platform.ts"
import { connect as connectPromises } from "../../src/programs/promise.ts"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { connect, type Link } from "../../src/wire/link.ts"
import { clientSuite } from "./support/client-suite/suite.ts"
import { franz, franzDoes } from "./support/franz.ts"
import { available, testWith } from "./support/peers.ts"
import { root, run, temporaryDirectory } from "./support/process.ts"
import { expected } from "./support/secure/admin-expected.ts"
import { adminWork } from "./support/secure/admin-work.ts"
import { exercise } from "./support/secure/exercise.ts"
import { type ListenerName, SecureKafka, scramPassword, sessionMs, unsecuredToken, user } from "./support/secure/kafka.ts"

/** Apache Kafka with listeners for TLS and SASL, and our client at each of them. */
let kafka: SecureKafka
beforeAll(async () => {
  if (kafkaAvailable() && available("openssl")) kafka = await SecureKafka.start()
}, 240_000)
afterAll(() => kafka?.stop())

const scram = (bits: "256" | "512", password = scramPassword): SaslOptions => ({ mechanism: `SCRAM-SHA-${bits}`, username: user.username, password })
const plain: SaslOptions = { mechanism: "PLAIN", ...user }
const bearer = (seconds?: number): SaslOptions => ({ mechanism: "OAUTHBEARER", token: Effect.sync(() => ({ value: unsecuredToken("alice", seconds) })) })

type Security = Pick<ConnectionOptions, "tls" | "sasl">
const trusted = (sasl?: SaslOptions): Security => ({ tls: { ca: kafka.authority.certificate }, ...(sasl === undefined ? {} : { sasl }) })
const options = (listener: ListenerName, security: Security, host?: string): ConnectionOptions => ({
  leader: kafka.address(listener, host),
  connectTimeoutMs: 20_000,
  retryTimeoutMs: 20_000,
  ...security
})

const works = (name: string, connection: () => ConnectionOptions): void =>
  testWith(["java", "openssl"], name, async () => {
    expect(await Effect.runPromise(exercise(connection(), name.replaceAll(/[^a-z0-9]+/gi, "-")))).toEqual({ read: 200, committed: 200 })
  })

describe("the client's work over each listener of Kafka", () => {
  works("SSL", () => options("TLS", trusted()))
  works("SSL by host name", () => options("TLS", { tls: { ca: kafka.authority.certificate, serverName: "localhost" } }))
  works("SSL with a client certificate", () => {
    const { certificate, key } = kafka.client
    return options("MUTUAL", { tls: { ca: kafka.authority.certificate, certificate, privateKey: key } })
  })
  works("SASL_PLAINTEXT PLAIN", () => options("SASL", { sasl: plain }))
  works("SASL_PLAINTEXT SCRAM-SHA-256", () => options("SASL", { sasl: scram("256") }))
  works("SASL_SSL SCRAM-SHA-512", () => options("SASLTLS", trusted(scram("512"))))
  works("SASL_SSL PLAIN", () => options("SASLTLS", trusted(plain)))
  works("SASL_SSL OAUTHBEARER", () => options("SASLTLS", trusted(bearer())))

  testWith(["java", "openssl"], "the command line, by options and by a file of Kafka's names", async () => {
    const directory = temporaryDirectory()
    const file = (name: string, text: string) => {
      const path = join(directory.path, name)
      writeFileSync(path, text)
      return path
    }
    const ca = file("ca.pem", kafka.authority.certificate)
    const address = ["--leader", kafka.address("SASLTLS")]
    const password = file("password", `${scramPassword}\n`)
    const byOptions = [...address, "--ca", ca, "--sasl-mechanism", "SCRAM-SHA-512", "--username", user.username, "--password-file", password]
    const jaas = `org.apache.kafka.common.security.scram.ScramLoginModule required username="${user.username}" password="${scramPassword}";`
    const lines = [`bootstrap.servers=${kafka.address("SASLTLS")}`, "security.protocol=SASL_SSL", "sasl.mechanism=SCRAM-SHA-256", `sasl.jaas.config=${jaas}`]
    const byFile = ["--command-config", file("client.properties", [...lines, "ssl.truststore.type=PEM", `ssl.truststore.location=${ca}`].join("\n"))]
    await franzDoes(["topic", "create", "by-command", "--if-not-exists", "--partitions", "1", ...byOptions])
    await franzDoes(["produce", "by-command", ...byFile], "hello\n")
    expect(await franzDoes(["consume", "by-command", "--from", "start", "--max", "1", ...byOptions])).toBe("hello\n")
    const mutual = ["--leader", kafka.address("MUTUAL"), "--ca", ca, "--cert", file("cert.pem", kafka.client.certificate)]
    expect(await franzDoes(["topic", "list", ...mutual, "--cert-key", file("key.pem", kafka.client.key)])).toContain("by-command")
    const wrong = franz("topic", "list", ...byOptions.slice(0, -1), file("wrong", "not it"))
    const { code, stderr } = await wrong.end()
    expect(code).not.toBe(0)
    expect(stderr).not.toContain("not it")
    directory.remove()
  })

  testWith(["java", "openssl"], "the client of promises", async () => {
    const { leader, ...security } = options("SASLTLS", trusted(scram("256")))
    const client = await connectPromises({ leader, ...(security as object) })
    await client.addTopic("by-promises", { partitions: 1 })
    const producer = await client.producer()
    await producer.sendMessage("by-promises", "hello")
    const consumer = await client.consumer({ from: "earliest" })
    await consumer.joinConsumerGroup("by-promises")
    await consumer.subscribe("by-promises")
    const got: Array<string> = []
    for (let polls = 0; polls < 60 && got.length === 0; polls++) got.push(...(await consumer.poll()).map(({ text }) => text))
    expect(got).toEqual(["hello"])
    await client.close()
  })

  testWith(["java", "openssl"], "a session is renewed before Kafka ends it: its connection outlives it, and one without renewal does not", async () => {
    const address = { host: "127.0.0.1", port: Number(kafka.address("SASL").split(":")[1]) }
    const link = { clientId: "sessions", connectTimeoutMs: 20_000, requestTimeoutMs: 20_000, inFlightRequestsMax: 5, responseBytesMax: 1_000_000 }
    const security = securitySettings(false, plain)
    // One call after the time of two sessions. Where the sessions are renewed it begins during a renewal, which it waits for: at another time it would race with the end of a
    // session, since a renewal may be late on a busy machine. Nothing else is in flight.
    const duringRenewal = (over: Link) => Effect.repeat(Effect.sleep(1), { until: () => over.inFlight() > 0 })
    const called = (over: Link, when: Effect.Effect<unknown> = Effect.void) =>
      Effect.option(Effect.flip(Effect.delay(when, 2.5 * sessionMs).pipe(Effect.andThen(over.call(Metadata, { topics: [] })))))
    const both = Effect.gen(function* () {
      const { open } = yield* makeConnector({ ...security, clientId: "sessions", timeoutMs: 20_000 })
      const crypto = yield* Cryptography
      const renewed = yield* open(address, link)
      const once = yield* connect(address, link)
      yield* authenticate(once, address, { sasl: security.sasl as SaslSettings, crypto, timeoutMs: 20_000 })
      return yield* Effect.all([called(renewed, duringRenewal(renewed)), called(once)], { concurrency: 2 })
    })
    const [renewed, once] = await Effect.runPromise(both.pipe(Effect.scoped, Effect.provide(transport)))
    expect(renewed._tag).toBe("None")
    expect(once).toMatchObject({ _tag: "Some", value: { _tag: "ConnectionLost" } })
  })
})

describe("the admin", () => {
  testWith(["java", "openssl"], "does at Kafka what the table says", async () => {
    expect(await Effect.runPromise(adminWork(options("PLAIN", {}), expected.kafka))).toEqual(expected.kafka)
  })

  testWith(["java", "openssl"], "creates, renews and expires delegation tokens, and sets a password that its user can use", async () => {
    const work = Effect.gen(function* () {
      const admin = yield* Admin.make(options("SASLTLS", trusted(scram("512"))))
      const { hmac, owner } = yield* admin.createDelegationToken({ renewers: ["User:bob"], maxLifetimeMs: 3_600_000 })
      // Brokers learn of the token, and of the password below, after the response.
      const later = { times: 100, schedule: Schedule.spaced(50) }
      const renewed = yield* Effect.retry(admin.renewDelegationToken(hmac, 60_000), later)
      const expired = yield* admin.expireDelegationToken(hmac, "now")
      const superuser = yield* Admin.make(options("PLAIN", {}))
      const erin = { user: "erin", mechanism: "SCRAM-SHA-256" } as const
      const changed = yield* superuser.alterScramUsers([{ ...erin, password: "erin's own" }])
      const asErin = Admin.make(options("SASL", { sasl: { mechanism: "SCRAM-SHA-256", username: "erin", password: "erin's own" } }))
      // The broker may learn of the password after the response.
      const { nodes } = yield* Effect.retry(
        Effect.flatMap(asErin, ({ describeCluster }) => describeCluster),
        { times: 100, schedule: Schedule.spaced(50) }
      )
      return { owner, prolongs: renewed > Date.now(), ends: expired <= renewed, changed, nodes: nodes.length }
    })
    expect(await Effect.runPromise(Effect.scoped(work))).toEqual({
      owner: "User:alice",
      prolongs: true,
      ends: true,
      changed: [{ item: { user: "erin", mechanism: "SCRAM-SHA-256" }, result: Either.right(undefined) }],
      nodes: 1
    })
  })
})

describe("other runtimes", () => {
  const runs = (name: "Deno" | "Node", command: (program: string) => Promise<ReadonlyArray<string>>): void =>
    testWith(name === "Node" ? ["java", "openssl", "node"] : ["java", "openssl"], name, async () => {
      const [program, ...args] = await command(join(root, "test/interop/support/secure/program.ts"))
      const given = {
        name: `on-${name.toLowerCase()}`,
        connection: options("SASLTLS", trusted(scram("256"))),
        wrong: {
          password: options("SASLTLS", trusted(scram("256", "secret"))),
          authority: options("TLS", { tls: true }),
          name: options("TLS", { tls: { ca: kafka.authority.certificate, serverName: "kafka.example" } }),
          expired: options("EXPIRED", trusted()),
          certificate: options("MUTUAL", trusted()),
          plain: options("PLAIN", trusted()),
          tls: options("TLS", {})
        }
      }
      const { errors, ...done } = JSON.parse(await run(program ?? "", [...args, JSON.stringify(given)]))
      expect(done).toEqual({ read: 200, committed: 200 })
      expect(errors).toEqual({
        password: expect.stringMatching(/^AuthenticationFailed: .*Check its name and password/),
        authority: expect.stringMatching(/^TlsFailed: .*not issued by an authority/),
        name: expect.stringMatching(/^TlsFailed: .*is for another host/),
        expired: expect.stringMatching(/^TlsFailed: .*has expired/),
        certificate: expect.stringMatching(/^TlsFailed: .*requires one/),
        plain: expect.stringMatching(/^TlsFailed: .*may be one without TLS/),
        tls: expect.stringMatching(/^TlsFailed: .*expects TLS/)
      })
    })
  runs("Deno", async (program) => [join(root, "node_modules/.bin/deno"), "run", "-A", "--no-check", program])
  runs("Node", async (program) => {
    const built = await Bun.build({ entrypoints: [program], target: "node", outdir: kafka.authority.directory, naming: "program.mjs" })
    return ["node", built.outputs[0]?.path ?? ""]
  })
})

describe("the client's suite over PLAINTEXT", () => clientSuite(["java", "openssl"], "plain", () => options("PLAIN", {})))
describe("the client's suite over SASL_SSL", () => clientSuite(["java", "openssl"], "sasl", () => options("SASLTLS", trusted(scram("512")))))

describe("what Kafka refuses is an error with its reason", () => {
  const refused = (name: string, connection: () => ConnectionOptions, tag: string, reason: RegExp): void =>
    testWith(["java", "openssl"], name, async () => {
      const failed = await Effect.runPromise(Effect.flip(Effect.scoped(Admin.make(connection()))))
      expect(failed).toMatchObject({ _tag: tag, retriable: tag === "NotReachable" })
      expect(failed.message).toMatch(reason)
      expect(failed.message).not.toMatch(/secret|pencil/)
    })
  refused(
    "a wrong password of PLAIN",
    () => options("SASL", { sasl: { ...plain, password: "secret" } as SaslOptions }),
    "AuthenticationFailed",
    /"alice"\. Check its name and password/
  )
  refused(
    "a wrong password of SCRAM",
    () => options("SASLTLS", trusted(scram("256", "secret"))),
    "AuthenticationFailed",
    /"alice"\. Check its name and password/
  )
  refused("an expired token", () => options("SASLTLS", trusted(bearer(-100))), "AuthenticationFailed", /the token.*invalid_token/)
  refused("SASL at a port without it", () => options("PLAIN", { sasl: plain }), "AuthenticationFailed", /does not authenticate\. Leave the option sasl out/)
  refused(
    "a mechanism that is not enabled",
    () => options("SASL", { sasl: scram("512") }),
    "AuthenticationFailed",
    /does not enable this mechanism\. It enables (PLAIN, SCRAM-SHA-256|SCRAM-SHA-256, PLAIN): set sasl\.mechanism/
  )
  refused("a port that requires SASL", () => ({ ...options("SASL", {}), retryTimeoutMs: 300 }), "NotReachable", /may require authentication \(SASL\)/)
  refused("an unknown authority", () => options("TLS", { tls: true }), "TlsFailed", /not issued by an authority that this client trusts\. Set tls\.ca/)
  refused("another name", () => options("TLS", { tls: { ca: kafka.authority.certificate, serverName: "kafka.example" } }), "TlsFailed", /is for another host/)
  refused("an expired certificate", () => options("EXPIRED", trusted()), "TlsFailed", /has expired\. Renew it/)
  refused("a missing client certificate", () => options("MUTUAL", trusted()), "TlsFailed", /requires one.*Set tls\.certificate and tls\.privateKey/)
  refused("TLS at a port without it", () => options("PLAIN", trusted()), "TlsFailed", /may be one without TLS/)
  refused("no TLS at a port with it", () => options("TLS", {}), "TlsFailed", /expects TLS\. Set the option tls/)

  testWith(["java", "openssl"], "any certificate is accepted only by its loud name", async () => {
    const admin = Admin.make(options("EXPIRED", { tls: { dangerouslyAcceptAnyCertificate: true } }))
    const { nodes } = await Effect.runPromise(Effect.scoped(Effect.flatMap(admin, ({ describeCluster }) => describeCluster)))
    expect(nodes).toHaveLength(1)
  })
})
