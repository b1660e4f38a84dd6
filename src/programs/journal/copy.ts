import { existsSync } from "node:fs"
import { Context, Effect, Layer, type Scope } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { readEtcdStream, streamsBelow, writeEtcdStream } from "../../../adapters/journal/etcd/transfer.ts"
import { eachBatches, type StreamImage } from "../../../adapters/journal/stream-image.ts"
import { readLogStream, streamsIn, writeLogStream } from "../../../adapters/journal/transfer.ts"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { layer as memoryStore } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { journalEngine } from "../../../domain/kernel/config/journal.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import type { CopyJournal } from "../../cli/journal/command.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import { Checksum } from "../../ports/checksum.ts"
import { defaultLogConfig, LogFault, LogStore } from "../../ports/log-store.ts"
import { leaderDirectory } from "../log/offline-config.ts"
import { clientOf, reached } from "../node/etcd-journal.ts"
import { type NodeFault, nodeFailure } from "../node/node-failure.ts"

/** Where journals are read and written. */
interface JournalLocation {
  readonly where: string
  readonly streams: Effect.Effect<ReadonlyArray<string>, NodeFault>
  readonly read: (stream: string) => Effect.Effect<StreamImage, NodeFault, Scope.Scope>
  readonly write: (image: StreamImage) => Effect.Effect<void, NodeFault, Scope.Scope>
}

const logFault = (where: string, message: string): LogFault => new LogFault({ path: where, reason: "io", message })

const etcdLocation = (text: string, config: NodeConfig): Effect.Effect<JournalLocation, NodeFault, Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    const engine = journalEngine(text)
    if (engine === undefined) return yield* logFault(text, `${text}: expected etcd://HOST:PORT,HOST:PORT/PREFIX.`)
    const client = yield* clientOf(engine, config)
    yield* reached(client, engine.prefix)
    const { crc32c } = yield* Checksum
    // What is read is in memory: the journal of a cluster is some megabytes.
    const store = Context.get(yield* Layer.build(memoryStore(new MemoryDisk())), LogStore)
    const at = { client, prefix: engine.prefix, crc32c }
    const failed = Effect.mapError((fault: LogFault | { readonly _tag: "EtcdFault"; readonly message: string }) =>
      fault._tag === "LogFault" ? fault : logFault(client.where, fault.message)
    )
    let logs = 0
    return {
      where: text,
      streams: failed(streamsBelow(at)),
      read: (stream) => Effect.flatMap(store.open(metadataTopicId, logs++, defaultLogConfig, true), (log) => failed(readEtcdStream(at, stream, log))),
      write: (image) => failed(writeEtcdStream(at, image))
    }
  })

const directoryLocation = (path: string): Effect.Effect<JournalLocation, NodeFault, Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    const store = Context.get(yield* Layer.build(fileStore({ directory: path })), LogStore)
    return {
      where: path,
      streams: streamsIn(store),
      read: (stream) => readLogStream(store, stream),
      write: (image) => writeLogStream(store, image)
    }
  })

const locationOf = (text: string, config: NodeConfig): Effect.Effect<JournalLocation, NodeFault, Checksum | Scope.Scope> =>
  text.includes("://") ? etcdLocation(text, config) : directoryLocation(text)

/** Fails unless the copy has the same batches, byte for byte: then it folds to the same state. */
const compared = (image: StreamImage, copy: StreamImage): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const sums = (of: StreamImage) => {
      const found: Array<string> = []
      return Effect.as(
        eachBatches(of, (batches) =>
          Effect.sync(() => void found.push(...batches.map(({ baseOffset, bytes, crc }) => `${baseOffset} ${bytes.length} ${crc}`)))
        ),
        found
      )
    }
    const [expected, got] = [yield* sums(image), yield* sums(copy)]
    if (copy.end !== image.end || copy.epoch !== image.epoch || expected.join() !== got.join())
      return yield* logFault(image.stream, `The copy of ${image.stream} differs: it ends at ${copy.end}, and the source at ${image.end}. Do not use it.`)
  })

/** Copies all streams of a journal to a place that has none. */
export const copyJournal: CopyJournal = ({ config, from, to }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* locationOf(from.includes("://") ? from : yield* leaderDirectory(from), config)
      if (!to.includes("://") && existsSync(`${to}/${metadataTopicId}-0`))
        return yield* new CliFailure({ exit: "usage", message: `${to} has a journal. Name another directory.` })
      const target = yield* locationOf(to, config)
      const streams = yield* source.streams
      if (!streams.includes(metadataTopic)) return yield* new CliFailure({ exit: "usage", message: `${source.where} has no journal of a leader.` })
      if ((yield* target.streams).length > 0)
        return yield* new CliFailure({ exit: "usage", message: `${target.where} has a journal. Nothing was changed. Choose another prefix or directory.` })
      // The stream of the cluster comes last: a candidate that finds it finds all of them.
      const groups = streams.filter((stream) => stream !== metadataTopic).toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
      const ordered = [...groups, metadataTopic]
      return yield* Effect.forEach(ordered, (stream) =>
        Effect.gen(function* () {
          const image = yield* source.read(stream)
          yield* Effect.scoped(target.write(image))
          yield* compared(image, yield* target.read(stream))
          return { stream, start: image.start, end: image.end }
        })
      )
    })
  ).pipe(
    Effect.provide(checksum),
    Effect.mapError((fault) => (fault._tag === "CliFailure" ? fault : nodeFailure(fault)))
  )
