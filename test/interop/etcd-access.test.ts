import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { Cause, Effect, Exit, Fiber, Logger, LogLevel, Option } from "effect"
import { gateway } from "../../adapters/journal/etcd/gateway.ts"
import { journalEngine } from "../../domain/kernel/config/journal.ts"
import { defaultNodeConfig, type NodeConfig, type SettingName } from "../../domain/kernel/config.ts"
import type { Taken } from "../../src/ports/journal.ts"
import { clientOf, reached } from "../../src/programs/node/etcd-journal.ts"
import { process, realLeaseMs, realRequestTimeoutMs, type Service } from "../adapters/journal/etcd/support.ts"
import { candidate, entry, stream } from "../src/ports/journal.contract.ts"
import { EtcdCluster } from "./support/etcd.ts"
import { franz, franzDoes, ready } from "./support/franz.ts"
import { available, isRequired } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"
import { Authority } from "./support/secure/certificates.ts"

type JournalSetting = Extract<SettingName, `franz.journal${string}`>
type Settings = Partial<Pick<NodeConfig, JournalSetting>>

const prefix = "/franz"
const base64 = (text: string): string => Buffer.from(text).toString("base64")

/**
 * What a node says of the engine when it starts: the fault that ends it, or the first warning while it waits; "reached" where
 * it can use the engine. A warning of an etcd that is slow to answer is passed over: the node asks again.
 */
const said = (settings: Partial<NodeConfig>): Promise<string> => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => {
    if (!/Is a majority of etcd's members up\?/.test(String(message))) warnings.push(String(message))
  })
  const start = Effect.gen(function* () {
    const config: NodeConfig = { ...defaultNodeConfig, ...settings }
    const engine = journalEngine(config["franz.journal"])
    if (engine === undefined) return "no engine"
    yield* reached(yield* clientOf(engine, config), engine.prefix)
    return "reached"
  })
  return Effect.gen(function* () {
    const running = yield* Effect.fork(start)
    for (;;) {
      const ended = Option.getOrUndefined(yield* Fiber.poll(running))
      if (ended !== undefined) return Exit.isSuccess(ended) ? ended.value : (Cause.squash(ended.cause) as Error).message
      if (warnings[0] !== undefined) return yield* Effect.as(Fiber.interrupt(running), warnings[0])
      yield* Effect.sleep(10)
    }
  }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.Warning), Effect.runPromise)
}

describe.skipIf(!isRequired && !(available("etcd") && available("openssl")))("etcd with TLS, client certificates and users", () => {
  let etcd: EtcdCluster
  let authority: Authority
  let foreign: Authority
  let settings: Settings

  /** Users as docs/operations/cluster.md makes them: one for administration, and one that may do no more than franz needs. */
  const enableUsers = async (): Promise<void> => {
    await etcd.does("auth/user/add", { name: "root", password: "secret" })
    await etcd.does("auth/role/add", { name: "root" })
    await etcd.does("auth/user/grant", { user: "root", role: "root" })
    for (const [user, key] of [
      ["franz", `${prefix}/`],
      ["stranger", "/elsewhere/"]
    ] as const) {
      await etcd.does("auth/user/add", { name: user, password: "pass" })
      await etcd.does("auth/role/add", { name: user })
      await etcd.does("auth/role/grant", { name: user, perm: { permType: "READWRITE", key: base64(key), range_end: base64(`${key.slice(0, -1)}0`) } })
      await etcd.does("auth/user/grant", { user, role: user })
    }
    await etcd.does("auth/enable", {})
    etcd.token = (await etcd.does("auth/authenticate", { name: "root", password: "secret" })).token as string
  }

  beforeAll(async () => {
    authority = new Authority("etcd's authority")
    foreign = new Authority("another authority")
    authority.issue("server", "IP:127.0.0.1")
    authority.issue("named", "DNS:named")
    const { certificate: cert, key } = authority.issue("franz", "DNS:franz", false, "O")
    const files = ["--cert-file", authority.path("server.crt"), "--key-file", authority.path("server.key"), "--trusted-ca-file", authority.path("ca.crt")]
    etcd = await EtcdCluster.start(1, {
      scheme: "https",
      tls: { ca: authority.certificate, cert, key },
      // The least cost of a password's hash.
      args: [...files, "--client-cert-auth", "--bcrypt-cost", "4"]
    })
    settings = {
      "franz.journal": `${(etcd.endpoints[0] as string).replace("https://", "etcds://")}${prefix}`,
      "franz.journal.ca.file": authority.path("ca.crt"),
      "franz.journal.certificate.file": authority.path("franz.crt"),
      "franz.journal.key.file": authority.path("franz.key"),
      "franz.journal.username": "franz",
      "franz.journal.password": "pass"
    }
    expect(await said(settings)).toMatch(/authentication is not enabled\. franz.journal.username is set, and etcd knows no users/)
    await enableUsers()
  }, 120_000)
  afterAll(async () => {
    await etcd.stop()
    authority.remove()
    foreign.remove()
  })

  test("a user that may use the prefix alone is enough; wrong credentials and certificates are said in one line each", async () => {
    const { "franz.journal.certificate.file": _, "franz.journal.key.file": __, ...anonymous } = settings
    const address = settings["franz.journal"] as string
    const rows: ReadonlyArray<readonly [Settings, RegExp]> = [
      [settings, /^reached$/],
      [{ ...settings, "franz.journal.password": "wrong" }, /authentication failed.* Set franz.journal.username and franz.journal.password/],
      [{ ...settings, "franz.journal.username": "unknown" }, /authentication failed.* Set franz.journal.username and franz.journal.password/],
      [{ ...settings, "franz.journal.username": "", "franz.journal.password": "" }, /user name is empty.* etcd knows users: set franz.journal.username/],
      [{ ...settings, "franz.journal.username": "stranger" }, /permission denied.*needs a role that reads and writes the prefix/],
      [{ ...settings, "franz.journal": `${address}2` }, /permission denied.*needs a role that reads and writes the prefix/],
      [
        { ...settings, "franz.journal.ca.file": foreign.path("ca.crt") },
        /Waiting for the journal: .*does not trust the certificate: set franz.journal.ca.file/
      ],
      [{ ...settings, "franz.journal.ca.file": "" }, /does not trust the certificate: set franz.journal.ca.file/],
      [
        { ...settings, "franz.journal": address.replace("127.0.0.1", "localhost") },
        /does not trust the certificate.*name etcd in franz.journal as its certificate does/
      ],
      [anonymous, /where it asks for a client certificate, set franz.journal.certificate.file and franz.journal.key.file/],
      [
        { ...settings, "franz.journal.certificate.file": authority.path("named.crt"), "franz.journal.key.file": authority.path("named.key") },
        /CommonName.*issue the certificate of franz.journal.certificate.file without a CommonName/
      ],
      [{ ...settings, "franz.journal.key.file": "" }, /belong together: set both or neither/],
      [{ ...settings, "franz.journal.ca.file": authority.path("missing") }, /franz.journal.ca.file=\S+ cannot be read: .*ENOENT/],
      [{ ...settings, "franz.journal.ca.file": authority.path("ca.srl") }, /franz.journal.ca.file=\S+ is not a PEM file/],
      [{ ...settings, "franz.journal": address.replace("etcds:", "etcd:") }, /begins with etcd:\/\/. Write etcds:\/\/ for TLS/],
      [{ "franz.journal": address.replace("etcds:", "etcd:") }, /Use etcds:\/\/ where it has TLS/]
    ]
    for (const [given, expected] of rows) expect(await said(given)).toMatch(expected)
  }, 300_000)

  test("tokens that etcd forgets are made anew: a leader continues after etcd was started again and after the password was changed", async () => {
    const data = temporaryDirectory()
    const file = `${data.path}/server.properties`
    writeFileSync(
      file,
      Object.entries({ ...settings, "franz.leader.lease.ms": "60000" })
        .map(([name, value]) => `${name}=${value}`)
        .join("\n")
    )
    const leader = franz("brokerlead", "--port", "0", "--data", `${data.path}/leader`, "--config", file)
    const { address } = await ready(leader)
    const broker = franz("broker", "--id", "1", "--port", "0", "--data", `${data.path}/broker`, "--leader", address)
    const at = (await ready(broker)).address
    await franzDoes(["topic", "create", "before", "--leader", at])
    await etcd.signal(0, "SIGKILL")
    etcd.again(0)
    await until("etcd answers", async () => (etcd.token = (await etcd.call("auth/authenticate", { name: "root", password: "secret" }))?.token as string))
    await franzDoes(["topic", "create", "after-restart", "--leader", at])
    // The tokens of a user end with its password. What the leader refuses meanwhile the client asks for again.
    await etcd.does("auth/user/changepw", { name: "franz", password: "other" })
    const waiting = franzDoes(["topic", "create", "after-password", "--leader", at])
    await etcd.says(0, /authentication failed, invalid password for user franz/)
    await etcd.does("auth/user/changepw", { name: "franz", password: "pass" })
    await waiting
    expect(leader.stderr).not.toContain("pass\n")
    for (const run of [broker, leader]) await run.kill("SIGTERM")
    data.remove()
  }, 300_000)
})

describe.skipIf(!isRequired && !available("etcd"))("etcd that cannot write", () => {
  let etcd: EtcdCluster
  beforeAll(async () => {
    etcd = await EtcdCluster.start(3, { args: ["--quota-backend-bytes", "4000000"] })
  }, 120_000)
  afterAll(() => etcd.stop())

  test("a full store refuses an append with the steps that make room, and takes it after them; without a majority a node says so", async () => {
    const client = gateway({ endpoints: etcd.endpoints, requestTimeoutMs: realRequestTimeoutMs })
    const append = (journal: Service, taken: Taken, n: number) => journal.append(stream, taken.epoch, n, [entry(n)])
    await Effect.gen(function* () {
      const journal = yield* process(client, prefix, realLeaseMs)
      const taken = yield* journal.campaign(stream, candidate)
      yield* append(journal, taken, 0)
      const value = "x".repeat(1_000_000)
      const isFull = (n: number) =>
        Effect.promise(() =>
          etcd.does("kv/put", { key: base64(`/other/${n}`), value }).then(
            () => false,
            (fault: unknown) => {
              if (!/database space exceeded/.test(String(fault))) throw fault
              return true
            }
          )
        )
      for (let n = 0; !(yield* isFull(n)); n++) expect(n).toBeLessThan(20)
      const message = expect.stringMatching(/store of etcd is full: compact and defragment it.*etcdctl alarm disarm/)
      expect(yield* Effect.flip(append(journal, taken, 1))).toMatchObject({ _tag: "NotWritten", cause: { reason: "full", message } })
      expect((yield* client.status).isFull).toBe(true)
      // A full store grants no lease: no candidate wins a stream.
      const standby = yield* Effect.fork(journal.campaign("__group_metadata-0", candidate))

      yield* Effect.sleep(1000)
      expect(yield* Fiber.poll(standby)).toEqual(Option.none())
      yield* Effect.promise(async () => {
        await etcd.does("kv/deleterange", { key: base64("/other/"), range_end: base64("/other0") })
        const { header } = (await etcd.does("maintenance/status", {})) as { readonly header: { readonly revision: string } }
        await etcd.does("kv/compaction", { revision: header.revision, physical: true })
        for (const member of [0, 1, 2]) await etcd.does("maintenance/defragment", {}, member)
        const { alarms } = (await etcd.does("maintenance/alarm", { action: "GET" })) as { readonly alarms: ReadonlyArray<{ readonly memberID: string }> }
        for (const { memberID } of alarms) await etcd.does("maintenance/alarm", { action: "DEACTIVATE", memberID, alarm: "NOSPACE" })
      })
      yield* append(journal, taken, 1)
      expect((yield* client.status).isFull).toBe(false)
      expect(yield* Fiber.join(standby)).toMatchObject({ start: 0, end: 0 })
    }).pipe(Effect.scoped, Effect.runPromise)

    const address = (etcd.endpoints[0] as string).replace("http://", "etcd://")
    await Promise.all([etcd.signal(1, "SIGKILL"), etcd.signal(2, "SIGKILL")])
    expect(await said({ "franz.journal": `${address}${prefix}` })).toMatch(/Waiting for the journal: .*more than half of its members must be up/)
  }, 300_000)
})

describe("servers that are no etcd of today", () => {
  const served = async (handle: (path: string) => Response, expected: RegExp): Promise<void> => {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => handle(new URL(request.url).pathname) })
    expect(await said({ "franz.journal": `etcd://127.0.0.1:${server.port}${prefix}` })).toMatch(expected)
    await server.stop(true)
  }
  const notFound = () => new Response("404 page not found\n", { status: 404 })

  test("an old etcd, a web server, and a proxy without etcd behind it are named", async () => {
    await served(
      (path) => (path === "/version" ? Response.json({ etcdserver: "3.3.27", etcdcluster: "3.3.0" }) : notFound()),
      /has version 3\.3\.27, and version 3\.4 or later is needed/
    )
    await served(notFound, /is not etcd, or an old one.*Version 3\.4 or later of etcd is needed/)
    await served(() => new Response("<html>Bad Gateway</html>", { status: 502 }), /Waiting for the journal: \S+: <html>Bad Gateway<\/html>/)
    await served(() => new Response("etcd, but as text"), /Waiting for the journal: \S+: etcd, but as text/)
  })
})
