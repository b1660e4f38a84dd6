import { readFileSync } from "node:fs"
import { Chunk, Context, Duration, Effect, Either, Layer, Schedule, Stream } from "effect"
import { type EtcdClient, EtcdFault } from "../../../adapters/journal/etcd/client.ts"
import { gateway } from "../../../adapters/journal/etcd/gateway.ts"
import { layerEtcd } from "../../../adapters/journal/etcd/journal.ts"
import { StreamKeys } from "../../../adapters/journal/etcd/keys.ts"
import { type JournalEngine, journalEngine } from "../../../domain/kernel/config/journal.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { clusterStream } from "../../leader/journal/cluster-aggregate.ts"
import type { Checksum } from "../../ports/checksum.ts"
import { Journal } from "../../ports/journal.ts"
import { type ForeignDirectory, LogFault, LogStore } from "../../ports/log-store.ts"
import { parseJson } from "../../stream/json.ts"

type FileSetting = "franz.journal.ca.file" | "franz.journal.certificate.file" | "franz.journal.key.file"
type Settings = Pick<NodeConfig, FileSetting | "node.id" | "franz.journal" | "franz.journal.username" | "franz.journal.password" | "franz.leader.lease.ms">

/** How often the store of etcd is looked at. */
const watchStore = Duration.minutes(1)
/** How long the first entry of a journal may take before the operator is told that etcd is slow. */
const firstEntryMs = 10_000
/** How often etcd is asked again. */
const askAgain = Duration.seconds(5)
const roomAdvice =
  "Set --auto-compaction-retention, defragment it (etcdctl defrag) or raise --quota-backend-bytes, then clear the alarm (etcdctl alarm disarm)."

/** Reads the file that a setting names; undefined where it names none. */
const fileOf = (config: Settings, name: FileSetting): Effect.Effect<string | undefined, LogFault> => {
  const path = config[name]
  if (path === "") return Effect.succeed(undefined)
  const fault = (why: string) => new LogFault({ path, reason: "io", message: `${name}=${path} ${why}` })
  const read = Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (cause) => fault(`cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  })
  return Effect.filterOrFail(
    read,
    (text) => text.includes("-----BEGIN "),
    () => fault("is not a PEM file.")
  )
}

/** A client of the engine that the settings name. It opens no connection yet. */
export const clientOf = (engine: JournalEngine, config: Settings): Effect.Effect<EtcdClient, LogFault> =>
  Effect.gen(function* () {
    const authorities = yield* fileOf(config, "franz.journal.ca.file")
    const certificate = yield* fileOf(config, "franz.journal.certificate.file")
    const key = yield* fileOf(config, "franz.journal.key.file")
    const fault = (message: string) => new LogFault({ path: "franz.journal", reason: "io", message })
    if ((certificate === undefined) !== (key === undefined))
      return yield* fault("franz.journal.certificate.file and franz.journal.key.file belong together: set both or neither.")
    if (!engine.isSecure && (authorities !== undefined || certificate !== undefined))
      return yield* fault("franz.journal has certificates, and its address begins with etcd://. Write etcds:// for TLS, or remove the files.")
    const name = config["franz.journal.username"]
    return gateway({
      endpoints: engine.members.map((member) => `${engine.isSecure ? "https" : "http"}://${member}`),
      user: name === "" ? undefined : { name, password: config["franz.journal.password"] },
      authorities,
      identity: certificate === undefined || key === undefined ? undefined : { certificate, key }
    })
  })

/** Warns where etcd's store is half full: over its quota it takes no writes, and no topic can be created. */
const watching = (client: EtcdClient): Effect.Effect<void> => {
  const look = Effect.flatMap(client.status, ({ isFull, quotaBytes, storeBytes }) => {
    if (isFull) return Effect.logWarning(`The store of ${client.where} is full (alarm NOSPACE) and takes no changes of the cluster. ${roomAdvice}`)
    return quotaBytes === undefined || storeBytes < quotaBytes / 2
      ? Effect.void
      : Effect.logWarning(`The store of ${client.where} has ${storeBytes} of ${quotaBytes} bytes; a full store takes no changes of the cluster. ${roomAdvice}`)
  })
  return Effect.asVoid(Effect.repeat(Effect.ignore(look), Schedule.spaced(watchStore)))
}

/** Waits for etcd, with a line every few seconds; fails where it refuses this node. */
export const reached = (client: EtcdClient, prefix: string): Effect.Effect<void, LogFault> => {
  const attempt = Effect.gen(function* () {
    const { hasLeader, version } = yield* client.status
    const [major = 0, minor = 0] = version.split(".").map(Number)
    if (major < 3 || (major === 3 && minor < 4)) return yield* unusable(`${client.where} has version ${version}, and version 3.4 or later is needed.`)
    if (!hasLeader)
      return yield* new EtcdFault({ kind: "unsent", message: `${client.where} has no leader: more than half of its members must be up and reach each other.` })
    // A user may read its prefix and nothing else.
    yield* client.range({ key: `${prefix}/`, keysOnly: true })
  })
  return patiently(attempt)
}

/** Waits until etcd gives the result, with a line every few seconds; fails where it refuses this node. */
const patiently = <A>(attempt: Effect.Effect<A, EtcdFault | LogFault>): Effect.Effect<A, LogFault> =>
  Effect.tapError(attempt, (failed) => (isPassing(failed) ? Effect.logWarning(`Waiting for the journal: ${failed.message}`) : Effect.void)).pipe(
    Effect.retry({ schedule: Schedule.spaced(askAgain), while: isPassing }),
    Effect.mapError((failed) => (failed._tag === "LogFault" ? failed : unusable(failed.message)))
  )
const isPassing = (failed: EtcdFault | LogFault): boolean => failed._tag === "EtcdFault" && failed.kind !== "denied"
const unusable = (message: string): LogFault => new LogFault({ path: "franz.journal", reason: "io", message: `The journal cannot be used: ${message}` })

/** Whether the journal has no entry, as etcd says itself. */
const isEmpty = (client: EtcdClient, prefix: string): Effect.Effect<boolean, EtcdFault> =>
  Effect.map(
    client.range({ key: new StreamKeys(prefix, clusterStream).head }),
    ([head]) => head === undefined || Number(new TextDecoder().decode(head.value)) === 0
  )

/** The id of the cluster whose journal this is, by its first event; undefined for an empty journal. Waits for an etcd that is slow. */
const clusterOf = (journal: Context.Tag.Service<typeof Journal>, client: EtcdClient, prefix: string): Effect.Effect<string | undefined, LogFault> => {
  const slow = () =>
    new EtcdFault({
      kind: "unknown",
      message: `${client.where} has a journal, and did not give its first entry within ${firstEntryMs / 1000} s: etcd is slow, or its members do not reach each other (etcdctl endpoint status).`
    })
  const first = Effect.mapError(Stream.runCollect(Stream.take(journal.follow(clusterStream, 0), 1)), (fault) =>
    fault.reason === "io" ? new EtcdFault({ kind: "unknown", message: fault.message }) : fault
  )
  const read = Effect.gen(function* () {
    if (yield* isEmpty(client, prefix)) return undefined
    const [entry] = Chunk.toReadonlyArray(yield* Effect.timeoutFail(first, { duration: firstEntryMs, onTimeout: slow }))
    const json = entry === undefined ? undefined : Either.getOrUndefined(parseJson(entry.value))
    return (json as { readonly clusterId?: string } | undefined)?.clusterId
  })
  return patiently(read)
}

/** Refuses a journal of another cluster than this node's directory, before anything is decided on it. Exported for tests. */
export const sameCluster = (
  journal: Context.Tag.Service<typeof Journal>,
  client: EtcdClient,
  { known, prefix }: { readonly known: string | undefined; readonly prefix: string }
): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    if (known === undefined) return
    const found = yield* clusterOf(journal, client, prefix)
    if (found === known) return
    const where = `${client.where}${prefix}`
    const fault = (message: string) => Effect.fail(new LogFault({ path: where, reason: "corrupt", message }))
    if (found !== undefined)
      return yield* fault(
        `${where} has the journal of cluster ${found}, and this node's directory is of cluster ${known}. Give each cluster a prefix of its own in franz.journal.`
      )
    return yield* fault(
      `${where} has no journal, and this node's directory is of cluster ${known}. \`franz journal move\` brings the journal of a directory there; if etcd lost its data, restore it from a backup (franz journal import). Nothing was changed.`
    )
  })

/** The journal in the engine that `franz.journal` names. */
export const layerEtcdJournal = (config: Settings): Layer.Layer<Journal, LogFault | ForeignDirectory, LogStore | Checksum> =>
  Layer.scoped(
    Journal,
    Effect.gen(function* () {
      const engine = journalEngine(config["franz.journal"])
      if (engine === undefined) return yield* new LogFault({ path: "franz.journal", reason: "io", message: "franz.journal names no engine." })
      const client = yield* clientOf(engine, config)
      yield* reached(client, engine.prefix)
      const made = yield* Layer.build(layerEtcd({ client, prefix: engine.prefix, leaseMs: config["franz.leader.lease.ms"] }))
      const journal = Context.get(made, Journal)
      const { claim } = yield* LogStore
      const { clusterId } = yield* claim({ clusterId: undefined, nodeId: config["node.id"] })
      yield* sameCluster(journal, client, { known: clusterId, prefix: engine.prefix })
      yield* Effect.forkScoped(watching(client))
      return journal
    })
  )
