import { Clock, Effect, type Scope } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { type Address, formatAddress, type Transport } from "../../ports/transport.ts"
import { Produce } from "../../protocol/message/00-produce.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import { DescribeQuorum } from "../../protocol/message/55-describe-quorum.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import type { Link } from "../../wire/link.ts"
import { wrongConnection } from "../argument/connection.ts"
import { guarded } from "../argument/guard.ts"
import type { ConnectError, InvalidAddress, InvalidArgument } from "../error.ts"
import { type ConnectionOptions, type ConnectionSettings, connectionSettings } from "../options.ts"
import { type Connector, makeConnector } from "../security/connector.ts"

/** One sentence of a diagnosis. */
export interface DiagnosisFinding {
  /** "problem": clients fail. "warning": they work, and an operator should look. "ok": this was checked. */
  readonly level: "ok" | "warning" | "problem"
  /** What was checked, as "bootstrap address" or "partitions". */
  readonly about: string
  /** What is so, where, and what to do. */
  readonly sentence: string
}
/** What a client of these options finds, from the network up to the partitions. */
export interface Diagnosis {
  /** Whether no finding is a problem. */
  readonly healthy: boolean
  readonly findings: ReadonlyArray<DiagnosisFinding>
}

type Response = ResponseOf<typeof Metadata>

/** The time of one attempt to connect, and of one response, ms, unless the options have less. */
const attemptMs = 5000
/** Nodes that are tried at the same time, and names that a sentence lists. */
const atOnce = 8
const listedMax = 5
/** A difference of the clocks from which timestamps and certificates are a matter of luck, ms. */
const clockSkewMs = 5000

const problem = (about: string, sentence: string): DiagnosisFinding => ({ level: "problem", about, sentence })
const warning = (about: string, sentence: string): DiagnosisFinding => ({ level: "warning", about, sentence })
const ok = (about: string, sentence: string): DiagnosisFinding => ({ level: "ok", about, sentence })

const listed = (names: ReadonlyArray<string>): string =>
  names.slice(0, listedMax).join(", ") + (names.length > listedMax ? ` and ${names.length - listedMax} more` : "")
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i

interface Probe {
  readonly address: Address
  readonly outcome: { readonly _tag: "Open"; readonly link: Link } | { readonly _tag: "Failed"; readonly error: ConnectError }
}

/** The reason of an error, without the address that the sentence has already. */
const reasonOf = (error: ConnectError): string => (error._tag === "NotReachable" ? error.reason : error.message)

const bootstrapFinding = ({ address, outcome }: Probe, { security }: ConnectionSettings): DiagnosisFinding => {
  const at = formatAddress(address)
  if (outcome._tag === "Failed") return problem("bootstrap address", `${at} cannot be used: ${reasonOf(outcome.error)}`)
  const how = [
    security.tls === undefined ? "without TLS" : "over TLS",
    security.sasl === undefined ? "without authentication" : `as ${security.sasl.mechanism}`
  ]
  return ok("bootstrap address", `${at} responds, ${how.join(", ")}.`)
}

/** The advertised address of a node is the one that clients use for everything but their first request. */
const advertisedFinding = (id: number, { address, outcome }: Probe, bootstrap: Address): DiagnosisFinding => {
  const at = formatAddress(address)
  if (outcome._tag === "Open") return ok("advertised address", `Node ${id} responds at ${at}, which it advertises.`)
  const isOther = loopback.test(address.host) && !loopback.test(bootstrap.host)
  const advice = isOther
    ? `That is this machine's own address, and not the node's: set advertised.listeners of node ${id} to an address that clients reach.`
    : `Clients use this address for messages: check advertised.listeners of node ${id}, its name in DNS, and firewalls on the way.`
  return problem("advertised address", `Node ${id} advertises ${at}, which does not work from here: ${reasonOf(outcome.error)} ${advice}`)
}

const controllerFinding = ({ brokers, controllerId }: Response): DiagnosisFinding => {
  if (controllerId < 0)
    return problem(
      "controller",
      "The cluster has no controller at present: topics cannot be changed, and no new leaders are elected. Look at the logs of the controllers."
    )
  return brokers.some(({ nodeId }) => nodeId === controllerId)
    ? ok("controller", `Node ${controllerId} is the controller for clients.`)
    : warning("controller", `The controller is node ${controllerId}, which is not among the cluster's nodes: requests to it fail until it is.`)
}

const partitionFindings = ({ brokers, topics }: Response): ReadonlyArray<DiagnosisFinding> => {
  const all = topics.flatMap(({ name, partitions }) => partitions.map((one) => ({ ...one, at: `${name}-${one.partitionIndex}` })))
  const leaderless = all.filter(({ leaderId }) => leaderId < 0).map(({ at }) => at)
  const lagging = all.filter(({ isrNodes, leaderId, replicaNodes }) => leaderId >= 0 && isrNodes.length < replicaNodes.length).map(({ at }) => at)
  const offline = all.filter(({ leaderId, offlineReplicas }) => leaderId >= 0 && offlineReplicas.length > 0).map(({ at }) => at)
  const refused = topics.filter(({ errorCode }) => errorCode !== 0).map(({ errorCode, name }) => `${name ?? "?"} (${kafkaError(errorCode)})`)
  const findings = [
    ...(leaderless.length === 0
      ? []
      : [
          problem(
            "partitions",
            `${leaderless.length} partitions have no leader: ${listed(leaderless)}. They take and give no messages until a broker with their data runs.`
          )
        ]),
    ...(lagging.length === 0
      ? []
      : [
          warning(
            "partitions",
            `${lagging.length} partitions have replicas out of sync: ${listed(lagging)}. acks=all fails where fewer are in sync than min.insync.replicas.`
          )
        ]),
    ...(offline.length === 0
      ? []
      : [warning("partitions", `${offline.length} partitions have replicas on failed disks or absent brokers: ${listed(offline)}.`)]),
    ...(refused.length === 0 ? [] : [warning("topics", `${refused.length} topics cannot be described: ${listed(refused)}.`)])
  ]
  return findings.length > 0 ? findings : [ok("partitions", `${all.length} partitions of ${topics.length} topics have leaders, at ${brokers.length} nodes.`)]
}

const versionFinding = (link: Link): DiagnosisFinding => {
  const lacks = [Produce, Fetch].filter((api) => link.versionOf(api) === undefined).map(({ name }) => name)
  return lacks.length === 0
    ? ok("versions", `${formatAddress(link.address)} and this client have versions of Produce and Fetch in common.`)
    : problem("versions", `${formatAddress(link.address)} has no version of ${lacks.join(" and ")} that this client knows: one of the two is too old.`)
}

/** The leader of the metadata names when it was last caught up, which is its own present. */
const clockFinding = (link: Link, timeoutMs: number): Effect.Effect<ReadonlyArray<DiagnosisFinding>> => {
  const request = { topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }] }
  const asked = Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const response = yield* link.call(DescribeQuorum, request, { timeoutMs })
    const after = yield* Clock.currentTimeMillis
    const partition = response.topics[0]?.partitions[0]
    const leader = partition?.currentVoters.find(({ replicaId }) => replicaId === partition.leaderId)
    const theirs = Number(leader?.lastCaughtUpTimestamp ?? -1n)
    if (theirs < 0) return []
    const skewMs = theirs < before ? theirs - before : Math.max(0, theirs - after)
    const shown = `The clock of the controller is ${Math.abs(skewMs)} ms ${skewMs < 0 ? "behind" : "ahead of"} this machine's`
    if (Math.abs(skewMs) < clockSkewMs) return [ok("clock", skewMs === 0 ? "The clocks of the controller and of this machine agree." : `${shown}.`)]
    return [warning("clock", `${shown}: timestamps, retention by time, tokens and certificates suffer. Synchronize both (NTP).`)]
  })
  // Only some nodes answer it, and only some clients may ask.
  return Effect.orElseSucceed(asked, () => [])
}

const metadataFindings = (link: Link, settings: ConnectionSettings, probe: (address: Address) => Effect.Effect<Probe, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const timeoutMs = settings.attemptTimeoutMs
    const response = yield* Effect.either(link.call(Metadata, { topics: null, allowAutoTopicCreation: false }, { timeoutMs }))
    if (response._tag === "Left") return [problem("metadata", `${formatAddress(link.address)} does not describe the cluster: ${response.left.message}.`)]
    const metadata = response.right
    const error = kafkaError(metadata.errorCode)
    if (error !== "NONE") return [problem("metadata", `${formatAddress(link.address)} refuses to describe the cluster: ${error}.`)]
    if (metadata.brokers.length === 0)
      return [
        problem("metadata", `${formatAddress(link.address)} knows no broker that is ready. Start a broker, or wait until one is registered and unfenced.`)
      ]
    const nodes = yield* Effect.forEach(
      metadata.brokers,
      ({ host, nodeId, port }) => Effect.map(probe({ host, port }), (found) => advertisedFinding(nodeId, found, link.address)),
      { concurrency: atOnce }
    )
    return [...nodes, controllerFinding(metadata), ...partitionFindings(metadata), versionFinding(link), ...(yield* clockFinding(link, timeoutMs))]
  })

const linkOptions = ({ clientId, connectTimeoutMs, requestTimeoutMs, responseBytesMax }: ConnectionSettings) => ({
  clientId,
  connectTimeoutMs,
  requestTimeoutMs,
  responseBytesMax,
  inFlightRequestsMax: 1
})

const probeOf =
  (connector: Connector, settings: ConnectionSettings) =>
  (address: Address): Effect.Effect<Probe, never, Scope.Scope> =>
    Effect.match(connector.open(address, linkOptions(settings)), {
      onFailure: (error): Probe => ({ address, outcome: { _tag: "Failed", error } }),
      onSuccess: (link): Probe => ({ address, outcome: { _tag: "Open", link } })
    })

const examined = (options: ConnectionOptions): Effect.Effect<Diagnosis, InvalidAddress, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const given = yield* connectionSettings(options)
    const settings = {
      ...given,
      connectTimeoutMs: Math.min(given.connectTimeoutMs, attemptMs),
      attemptTimeoutMs: Math.min(given.attemptTimeoutMs, attemptMs)
    }
    const probe = probeOf(yield* makeConnector({ ...settings.security, clientId: settings.clientId, timeoutMs: settings.connectTimeoutMs }), settings)
    const probes = yield* Effect.forEach(settings.bootstrap, probe, { concurrency: atOnce })
    const open = probes.find(({ outcome }) => outcome._tag === "Open")
    const first = probes.map((one) => bootstrapFinding(one, settings))
    // One address of several that fails is no problem as long as another responds.
    const bootstrap = open === undefined ? first : first.map((one) => (one.level === "problem" ? { ...one, level: "warning" as const } : one))
    const rest = open?.outcome._tag === "Open" ? yield* metadataFindings(open.outcome.link, settings, probe) : []
    const findings = [...bootstrap, ...rest]
    return { healthy: findings.every(({ level }) => level !== "problem"), findings }
  })

/**
 * Examines a cluster as a client of these options meets it, and says in sentences what is wrong: addresses that cannot
 * be reached, TLS or authentication that the port does not expect, certificates, advertised addresses, the controller,
 * partitions without leaders, versions and clocks. It changes nothing, and takes some seconds at most for each node.
 */
export const diagnose = (options: ConnectionOptions): Effect.Effect<Diagnosis, InvalidAddress | InvalidArgument, Transport> =>
  guarded("diagnose", () => wrongConnection(options), Effect.scoped(Effect.suspend(() => examined(options))))
