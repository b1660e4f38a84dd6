import { Context, Effect, Exit, Layer, Scope } from "effect"
import { readEtcdStream, reserveEtcdStream, streamsBelow, writeEtcdStream } from "../../../adapters/journal/etcd/transfer.ts"
import { openExport, writeExport } from "../../../adapters/journal/export-file.ts"
import type { StreamImage } from "../../../adapters/journal/stream-image.ts"
import { readLogStream, streamsIn, writeLogStream } from "../../../adapters/journal/transfer.ts"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { journalEngine } from "../../../domain/kernel/config/journal.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { Checksum } from "../../ports/checksum.ts"
import { LogFault, LogStore } from "../../ports/log-store.ts"
import { clientOf, reached } from "../node/etcd-journal.ts"
import type { NodeFault } from "../node/node-failure.ts"
import { setMoved, stage, unstage } from "./staged-directory.ts"

type Opening<A> = Effect.Effect<A, NodeFault, Checksum | Scope.Scope>

/** Where a journal is read. */
export interface JournalSource {
  readonly where: string
  readonly streams: Effect.Effect<ReadonlyArray<string>, NodeFault>
  readonly read: (stream: string) => Effect.Effect<StreamImage, NodeFault, Scope.Scope>
  /** Lets no node lead with the journal until the scope closes. */
  readonly reserve: (to: string) => Effect.Effect<Reservation, NodeFault, Scope.Scope>
}
interface Reservation {
  /** From now on the journal stays reserved whatever happens: its copy is about to be used. */
  readonly keep: Effect.Effect<void>
  /** Leaves a note of where the journal is: no node leads with it any more. */
  readonly done: Effect.Effect<void, NodeFault>
}
/** Where a journal is written. */
export interface JournalTarget {
  readonly where: string
  /** The whole streams that are there. */
  readonly streams: Effect.Effect<ReadonlyArray<string>, NodeFault>
  readonly write: (image: StreamImage) => Effect.Effect<void, NodeFault, Scope.Scope>
  readonly read: (stream: string) => Effect.Effect<StreamImage, NodeFault, Scope.Scope>
  /** After all streams: the journal can be used. */
  readonly finish: Effect.Effect<void, NodeFault>
}

const logFault = (where: string, message: string): LogFault => new LogFault({ path: where, reason: "io", message })
export const isEngine = (text: string): boolean => text.includes("://")

const etcdAt = (text: string, config: NodeConfig) =>
  Effect.gen(function* () {
    const engine = journalEngine(text)
    if (engine === undefined) return yield* logFault(text, `${text}: expected etcd://HOST:PORT,HOST:PORT/PREFIX.`)
    const client = yield* clientOf(engine, config)
    yield* reached(client, engine.prefix)
    const at = { client, prefix: engine.prefix, crc32c: (yield* Checksum).crc32c }
    const failed = Effect.mapError((fault: LogFault | { readonly _tag: "EtcdFault"; readonly message: string }) =>
      fault._tag === "LogFault" ? fault : logFault(client.where, fault.message)
    )
    const streams = failed(streamsBelow(at))
    return {
      where: text,
      streams,
      read: (stream: string) => failed(readEtcdStream(at, stream)),
      write: (image: StreamImage) => failed(writeEtcdStream(at, image)),
      reserve: (to: string) =>
        Effect.gen(function* () {
          // The stream of the cluster first: without it no candidate asks for those of the groups.
          const all = (yield* streams).toSorted((a, b) => Number(b === metadataTopic) - Number(a === metadataTopic))
          const reserved = yield* Effect.forEach(all, (stream) => failed(reserveEtcdStream(at, stream, to)))
          return {
            keep: Effect.forEach(reserved, ({ keep }) => keep, { discard: true }),
            done: Effect.forEach(reserved, ({ done }) => failed(done), { discard: true })
          }
        }),
      finish: Effect.void
    }
  })

/** The log store of a directory. It is locked until the scope closes. */
const storeOf = (directory: string) => Effect.map(Layer.build(fileStore({ directory })), (built) => Context.get(built, LogStore))

const directorySource = (directory: string): Opening<JournalSource> =>
  Effect.map(storeOf(directory), (store) => ({
    where: directory,
    streams: streamsIn(store),
    read: (stream) => readLogStream(store, stream),
    // The lock of the directory keeps nodes away.
    reserve: (to) => Effect.succeed({ keep: Effect.void, done: setMoved(directory, to) })
  }))

const directoryTarget = (directory: string): Opening<JournalTarget> =>
  Effect.gen(function* () {
    // Its lock keeps nodes away meanwhile.
    const inPlace = yield* storeOf(directory)
    const present = yield* streamsIn(inPlace)
    if (present.includes(metadataTopic)) {
      const refused = logFault(directory, `${directory} has a journal. Nothing was changed. Name another directory.`)
      return { where: directory, streams: Effect.succeed(present), write: () => refused, read: (stream) => readLogStream(inPlace, stream), finish: Effect.void }
    }
    const staged = yield* stage(directory)
    const own = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(own, exit))
    const store = yield* Scope.extend(storeOf(staged), own)
    return {
      where: directory,
      streams: Effect.succeed([]),
      write: (image) => writeLogStream(store, image),
      read: (stream) => readLogStream(store, stream),
      finish: Effect.zipRight(Scope.close(own, Exit.void), unstage(directory))
    }
  })

/** A directory, or an engine as franz.journal names it. */
export const sourceAt = (text: string, config: NodeConfig): Opening<JournalSource> => (isEngine(text) ? etcdAt(text, config) : directorySource(text))
export const targetAt = (text: string, config: NodeConfig): Opening<JournalTarget> => (isEngine(text) ? etcdAt(text, config) : directoryTarget(text))

/** An export that is whole. */
export const exportSource = (path: string): Opening<JournalSource> =>
  Effect.gen(function* () {
    const { read, streams } = yield* openExport(path, (yield* Checksum).crc32c)
    return { where: path, streams: Effect.succeed(streams), read, reserve: () => Effect.succeed({ keep: Effect.void, done: Effect.void }) }
  })
/** An export that is written. */
export const exportTarget = (path: string): Opening<JournalTarget> =>
  Effect.gen(function* () {
    const written = yield* writeExport(path, (yield* Checksum).crc32c)
    return { where: path, streams: Effect.succeed([]), ...written }
  })
