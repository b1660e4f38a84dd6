import { describe, expect, test } from "bun:test"
import { inspect } from "node:util"
import { Cause, Effect, Fiber, Redacted, Schedule } from "effect"
import { layer as cryptography } from "../../../../adapters/cryptography/node.ts"
import { errorCode, type KafkaError } from "../../../../domain/kernel/error-code.ts"
import { Admin } from "../../../../src/client/admin/admin.ts"
import type { ConnectionOptions } from "../../../../src/client/options.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import type { SaslOptions } from "../../../../src/client/security/options.ts"
import { SaslHandshake } from "../../../../src/protocol/message/17-sasl-handshake.ts"
import { SaslAuthenticate } from "../../../../src/protocol/message/36-sasl-authenticate.ts"
import { route } from "../../../../src/wire/route.ts"
import type { FakeCluster } from "../fake-cluster.ts"
import { leader, withFake } from "../support.ts"

const password = "correct horse battery staple"
const plain: SaslOptions = { mechanism: "PLAIN", username: "alice", password: Redacted.make(password) }

/** What the fake nodes answer to SASL, and what they were sent, by connection. */
class FakeSasl {
  readonly tokens: Array<{ readonly connection: number; readonly text: string }> = []
  handshakeError: KafkaError = "NONE"
  mechanisms: ReadonlyArray<string> = ["PLAIN"]
  lifetimeMs = 0
  authenticateMs = 0
  /** The error of each SaslAuthenticate by the count of those before it. */
  error: (earlier: number) => KafkaError = () => "NONE"
  response: (earlier: number) => string = () => ""
  message: string | null = null

  readonly prepare = (fake: FakeCluster): void => {
    fake.extraRoutes = [
      route(SaslHandshake, {}, () => ({ errorCode: errorCode(this.handshakeError), mechanisms: [...this.mechanisms] })),
      route(SaslAuthenticate, {}, ({ authBytes }, { connectionId }) => {
        const earlier = this.tokens.length
        this.tokens.push({ connection: connectionId, text: new TextDecoder().decode(authBytes) })
        const response = {
          errorCode: errorCode(this.error(earlier)),
          errorMessage: this.message,
          authBytes: new TextEncoder().encode(this.response(earlier)),
          sessionLifetimeMs: BigInt(this.lifetimeMs)
        }
        return this.authenticateMs === 0 ? response : Effect.as(Effect.sleep(this.authenticateMs), response)
      })
    ]
  }
}
const make = (sasl: SaslOptions, more: Partial<ConnectionOptions> = {}) =>
  Admin.make({ leader, sasl, retryTimeoutMs: 3000, ...more }).pipe(Effect.provide(cryptography))

describe("authentication", () => {
  test("a connection is authenticated before its first request, and PLAIN sends name and password", async () => {
    const sasl = new FakeSasl()
    await withFake((fake) => Effect.tap(make(plain), () => Effect.sync(() => expect(fake.seen[0]).toBe("Metadata"))), { prepare: sasl.prepare })
    expect(sasl.tokens.map(({ text }) => text)).toEqual([`\0alice\0${password}`])
  })

  test("wrong credentials are an error at once, which names user, address and what to do", async () => {
    const sasl = new FakeSasl()
    sasl.error = () => "SASL_AUTHENTICATION_FAILED"
    sasl.message = "Invalid username or password"
    const failed = await withFake(() => Effect.flip(make(plain)), { prepare: sasl.prepare })
    expect(failed).toMatchObject({ _tag: "AuthenticationFailed", mechanism: "PLAIN", retriable: false })
    expect(failed.message).toMatch(/at node\d:9092 by PLAIN failed: the node refuses the user "alice"\. Check its name and password: Invalid username/)
    // One attempt: a user is not locked out by retries.
    expect(sasl.tokens).toHaveLength(1)
  })

  test("a mechanism that is not enabled: the error lists those that are", async () => {
    const sasl = new FakeSasl()
    sasl.handshakeError = "UNSUPPORTED_SASL_MECHANISM"
    sasl.mechanisms = ["GSSAPI", "SCRAM-SHA-512"]
    const failed = await withFake(() => Effect.flip(make(plain)), { prepare: sasl.prepare })
    expect(failed.message).toContain("It enables GSSAPI, SCRAM-SHA-512: set sasl.mechanism to one of them.")
    expect(sasl.tokens).toEqual([])
  })

  test("a session is renewed on its connection before it ends, and requests wait meanwhile (KIP-368)", async () => {
    const sasl = new FakeSasl()
    sasl.lifetimeMs = 10_000
    sasl.authenticateMs = 500
    const sent = await withFake(
      (fake) =>
        Effect.gen(function* () {
          fake.add("orders", 1)
          const producer = yield* Producer.make({ leader: "node0:9092", sasl: plain }).pipe(Effect.provide(cryptography))
          const offsets: Array<number> = []
          const send = Effect.map(producer.sendMessage("orders", "hello"), ({ offset }) => offsets.push(offset))
          yield* Effect.repeat(send, Schedule.intersect(Schedule.recurs(199), Schedule.spaced(250)))
          return offsets
        }),
      { prepare: sasl.prepare, nodes: 1 }
    )
    expect(sent).toEqual(Array.from({ length: 200 }, (_, offset) => offset))
    // 200 messages in 50 s and more: a renewal each 8.5 to 9.5 s, over one connection.
    expect(sasl.tokens.length).toBeGreaterThanOrEqual(6)
    expect(new Set(sasl.tokens.map(({ connection }) => connection)).size).toBe(1)
  })

  test("a session that cannot be renewed ends its connection; the next call opens another or has the error", async () => {
    const sasl = new FakeSasl()
    sasl.lifetimeMs = 10_000
    sasl.error = (earlier) => (earlier === 0 ? "NONE" : "SASL_AUTHENTICATION_FAILED")
    const failed = await withFake(
      () =>
        Effect.gen(function* () {
          const admin = yield* make(plain, { leader: "node0:9092" })
          yield* Effect.sleep(60_000)
          return yield* Effect.flip(admin.listTopics())
        }),
      { prepare: sasl.prepare, nodes: 1 }
    )
    expect(failed).toMatchObject({ _tag: "AuthenticationFailed" })
    expect(sasl.tokens).toHaveLength(3)
  })

  test("a producer with credentials that are refused meanwhile fails its messages at once", async () => {
    const sasl = new FakeSasl()
    const failed = await withFake(
      (fake) =>
        Effect.gen(function* () {
          fake.add("orders", 1)
          const producer = yield* Producer.make({ leader: "node0:9092", sasl: plain }).pipe(Effect.provide(cryptography))
          yield* producer.sendMessage("orders", "one")
          sasl.error = () => "SASL_AUTHENTICATION_FAILED"
          fake.network.drop("client")
          const sending = yield* Effect.fork(Effect.flip(producer.sendMessage("orders", "two")))
          return yield* Effect.timeout(Fiber.join(sending), 10_000)
        }),
      { prepare: sasl.prepare, nodes: 1 }
    )
    expect(failed).toMatchObject({ _tag: "AuthenticationFailed" })
  })

  test("OAUTHBEARER sends the token with its extensions, and a new one for each renewal (RFC 7628, KIP-342)", async () => {
    const sasl = new FakeSasl()
    sasl.lifetimeMs = 1000
    let issued = 0
    const token = Effect.sync(() => ({ value: `token${++issued}`, extensions: { tenant: "blue" } }))
    await withFake(() => Effect.andThen(make({ mechanism: "OAUTHBEARER", token }, { leader: "node0:9092" }), Effect.sleep(2000)), { prepare: sasl.prepare })
    expect(sasl.tokens.slice(0, 2).map(({ text }) => text)).toEqual([1, 2].map((n) => `n,,\x01auth=Bearer token${n}\x01tenant=blue\x01\x01`))
  })

  test("a token that the node refuses: the client ends the exchange by RFC 7628, 3.2.3, and names the status", async () => {
    const sasl = new FakeSasl()
    sasl.response = (earlier) => (earlier % 2 === 0 ? `{"status":"invalid_token","scope":"kafka"}` : "")
    sasl.error = (earlier) => (earlier % 2 === 0 ? "NONE" : "SASL_AUTHENTICATION_FAILED")
    const token = Effect.succeed({ value: Redacted.make("secret-token") })
    const failed = await withFake(() => Effect.flip(make({ mechanism: "OAUTHBEARER", token }, { leader: "node0:9092" })), { prepare: sasl.prepare })
    expect(failed.message).toContain("status invalid_token, scope kafka")
    expect(sasl.tokens[1]?.text).toBe("\x01")
  })

  test("a token effect that fails, dies, never ends or gives nonsense is AuthenticationFailed within its time", async () => {
    const tokens: ReadonlyArray<readonly [Effect.Effect<never, unknown> | Effect.Effect<unknown>, RegExp]> = [
      [Effect.fail(new Error("no token service")), /sasl\.token failed: no token service/],
      [Effect.die(new Error("a defect")), /sasl\.token failed: a defect/],
      [Effect.never, /did not finish within connectTimeoutMs=500/],
      [Effect.succeed(undefined), /did not give an object/],
      [Effect.succeed({ value: "two words" }), /no bearer token/],
      [Effect.succeed({ value: "fine", extensions: { auth: "x" } }), /an extension that cannot be sent: "auth"/],
      [Effect.succeed({ value: "fine", extensions: { a: "\x01" } }), /an extension that cannot be sent: "a"/]
    ]
    for (const [token, reason] of tokens) {
      const sasl = { mechanism: "OAUTHBEARER", token } as SaslOptions
      const failed = await withFake(() => Effect.flip(make(sasl, { connectTimeoutMs: 500 })), { prepare: new FakeSasl().prepare })
      expect(failed).toMatchObject({ _tag: "AuthenticationFailed" })
      expect(failed.message).toMatch(reason)
    }
  })

  test("a platform without Cryptography says so", async () => {
    const failed = await withFake(() => Effect.flip(Admin.make({ leader, sasl: plain })), { prepare: new FakeSasl().prepare })
    expect(failed.message).toContain("Provide it beside Transport")
  })

  test("TLS on the simulated network is an error, never a connection without it", async () => {
    const failed = await withFake(() => Effect.flip(Admin.make({ leader, tls: true })))
    expect(failed).toMatchObject({ _tag: "TlsFailed", retriable: false })
  })
})

describe("secrets", () => {
  const shapes = (value: unknown): string => `${String(value)} ${JSON.stringify(value)} ${inspect(value, { depth: 20, showHidden: true })}`

  test("never appear in errors, options or causes", async () => {
    const sasl = new FakeSasl()
    sasl.error = () => "SASL_AUTHENTICATION_FAILED"
    for (const secret of [password, Redacted.make(password)]) {
      const exit = await withFake(() => Effect.exit(make({ mechanism: "PLAIN", username: "alice", password: secret })), { prepare: sasl.prepare })
      const cause = exit._tag === "Failure" ? exit.cause : Cause.empty
      expect(shapes(cause) + Cause.pretty(cause)).not.toContain("horse")
    }
  })

  test("a misspelt field with a secret is refused without showing it", async () => {
    const wrongs: ReadonlyArray<unknown> = [
      { sasl: { mechanism: "PLAIN", username: "alice", pasword: password } },
      { sasl: password },
      { tls: { certificate: "x", privatekey: password } },
      { tls: { key: password } },
      { tls: password },
      { sasl: { mechanism: "PLAIN", username: "alice", password: "\ud800 horse" } }
    ]
    for (const wrong of wrongs) {
      const failed = await withFake(() => Effect.flip(Admin.make({ leader, ...(wrong as object) })))
      expect(failed._tag).toBe("InvalidArgument")
      expect(shapes(failed)).not.toContain("horse")
    }
  })
})
