import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { freePort } from "../../../../scripts/bench/port.ts"
import { root, run } from "../process.ts"
import { Authority, type Identity } from "./certificates.ts"

const peer = join(root, "scripts/kafka-peer.sh")

/** The listeners of the secured Kafka, by name. */
const listeners = {
  /** TLS that asks for no certificate of the client. */
  TLS: "SSL",
  /** TLS that requires a certificate of the client. */
  MUTUAL: "SSL",
  /** TLS with a certificate of the past. */
  EXPIRED: "SSL",
  SASL: "SASL_PLAINTEXT",
  SASLTLS: "SASL_SSL"
} as const
export type ListenerName = keyof typeof listeners | "PLAIN"

export const user = { username: "alice", password: "alice's secret, 100 %" }
/** A session of PLAIN lasts this long, ms (KIP-368). Kafka takes one renewal a second at most. */
export const sessionMs = 1500

/** An unsecured JSON Web Token for Kafka's development validator: `alg` is none. */
export const unsecuredToken = (subject: string, seconds = 3600): string => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: "none" })}.${part({ sub: subject, iat: now, exp: now + seconds })}.`
}

const pem = (text: string): string => text.trim().replaceAll("\n", "\\n")
const keystore = (name: string, { certificate, key }: Identity): ReadonlyArray<string> =>
  Object.entries({ "keystore.type": "PEM", "keystore.certificate.chain": pem(certificate), "keystore.key": pem(key) }).map(
    ([setting, value]) => `listener.name.${name.toLowerCase()}.ssl.${setting}=${value}`
  )

const settings = (ports: Readonly<Record<ListenerName | "CONTROLLER", number>>, authority: Authority): ReadonlyArray<string> => {
  const own = authority.issue("broker", "DNS:localhost,IP:127.0.0.1")
  const old = authority.issue("expired", "DNS:localhost,IP:127.0.0.1", true)
  const at = (names: ReadonlyArray<string>) => names.map((name) => `${name}://127.0.0.1:${ports[name as ListenerName]}`).join(",")
  const clients: ReadonlyArray<string> = ["PLAIN", ...Object.keys(listeners)]
  const protocols = ["CONTROLLER:PLAINTEXT", "PLAIN:PLAINTEXT", ...Object.entries(listeners).map(([name, protocol]) => `${name}:${protocol}`)]
  const password = user.password.replaceAll("'", "\\\\'")
  const sasl = ["sasl", "sasltls"].flatMap((name) => [
    `listener.name.${name}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256${name === "sasl" ? "" : ",SCRAM-SHA-512,OAUTHBEARER"}`,
    `listener.name.${name}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${user.username}="${password}";`,
    ...["256", "512"].map(
      (bits) => `listener.name.${name}.scram-sha-${bits}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`
    ),
    `listener.name.${name}.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="kafka";`
  ])
  return [
    `listeners=CONTROLLER://127.0.0.1:${ports.CONTROLLER},${at(clients)}`,
    `advertised.listeners=${at(clients)}`,
    `listener.security.protocol.map=${protocols.join(",")}`,
    "inter.broker.listener.name=PLAIN",
    "ssl.truststore.type=PEM",
    `ssl.truststore.certificates=${pem(authority.certificate)}`,
    ...["TLS", "MUTUAL", "SASLTLS"].flatMap((name) => keystore(name, own)),
    ...keystore("EXPIRED", old),
    "delegation.token.secret.key=the secret of the tests",
    "offsets.topic.num.partitions=1",
    "transaction.state.log.num.partitions=1",
    "controlled.shutdown.enable=false",
    // Kafka deletes old records 30 s after its start and then each 5 minutes: a case whose timestamps are older than
    // retention.ms would fail only where it runs at that time.
    "log.initial.task.delay.ms=100",
    "log.retention.check.interval.ms=100",
    "listener.name.mutual.ssl.client.auth=required",
    "listener.name.sasl.plain.connections.max.reauth.ms=" + sessionMs,
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found=true",
    "super.users=User:ANONYMOUS",
    ...sasl
  ]
}

/** Apache Kafka with a listener for each way to connect. */
export class SecureKafka {
  private constructor(
    private readonly ports: Readonly<Record<ListenerName | "CONTROLLER", number>>,
    readonly authority: Authority,
    /** A client's certificate of the authority. */
    readonly client: Identity
  ) {}

  static async start(): Promise<SecureKafka> {
    const authority = new Authority("Test authority")
    const PLAIN = await freePort()
    const ports = { PLAIN, CONTROLLER: PLAIN + 1, TLS: 0, MUTUAL: 0, EXPIRED: 0, SASL: 0, SASLTLS: 0 }
    for (const name of Object.keys(listeners) as ReadonlyArray<keyof typeof listeners>) ports[name] = await freePort()
    const kafka = new SecureKafka(ports, authority, authority.issue("client", "DNS:client"))
    // Commas end a value of --add-scram: the password of SCRAM is another one.
    const scram = ["256", "512"].map((bits) => `--add-scram SCRAM-SHA-${bits}=[name=${user.username},password=${scramPassword}]`).join(" ")
    await run("bash", [peer, "start", String(PLAIN)], { env: { KAFKA_PEER_EXTRA: settings(ports, authority).join("\n"), KAFKA_PEER_FORMAT: scram } })
    return kafka
  }
  address(listener: ListenerName, host = "127.0.0.1"): string {
    return `${host}:${this.ports[listener]}`
  }
  stop(): void {
    spawnSync("bash", [peer, "stop", String(this.ports.PLAIN)])
    this.authority.remove()
  }
}

export const scramPassword = "pencil"
