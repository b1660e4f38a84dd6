import { existsSync } from "node:fs"
import { Effect, type Scope } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { digestOf, type StreamDigest, type StreamImage } from "../../../adapters/journal/stream-image.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import type { CopiedStream, JournalTransfer, TransferRequest } from "../../cli/journal/command.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import type { Checksum } from "../../ports/checksum.ts"
import { LogFault } from "../../ports/log-store.ts"
import { leaderDirectory } from "../log/offline-config.ts"
import { type NodeFault, nodeFailure } from "../node/node-failure.ts"
import { exportSource, exportTarget, isEngine, type JournalSource, type JournalTarget, sourceAt, targetAt } from "./location.ts"

type Failure = NodeFault | CliFailure
const usage = (message: string): CliFailure => new CliFailure({ exit: "usage", message })

const isSame = (a: StreamDigest, b: StreamDigest): boolean => a.sha256 === b.sha256 && a.start === b.start && a.end === b.end && a.epoch === b.epoch

/** Copies one stream, and fails unless the copy has the same batches, byte for byte: then it folds to the same state. */
const copyStream = (image: StreamImage, target: JournalTarget, isThere: boolean): Effect.Effect<CopiedStream, Failure, Scope.Scope> =>
  Effect.gen(function* () {
    const { end, start, stream } = image
    if (!isThere) yield* Effect.scoped(target.write(image))
    const expected = yield* digestOf(image)
    const found = yield* Effect.flatMap(target.read(stream), digestOf)
    if (isSame(expected, found)) return { stream, start, end, sha256: expected.sha256 }
    if (isThere) return yield* usage(`${target.where} has another stream ${stream}, and no journal of a cluster. Nothing was changed. Choose another prefix.`)
    return yield* new LogFault({
      path: stream,
      reason: "corrupt",
      message: `The copy of ${stream} differs: it ends at ${found.end}, and the source at ${end}. Do not use it.`
    })
  })

interface CopyOptions {
  /** The same journal may be there: a move that was interrupted at its end is run again. */
  readonly mayBeThere: boolean
  /** Before the copy can be used. */
  readonly beforeUse: Effect.Effect<void>
}

/** Copies all streams of a journal to a place that has none, or where a copy of the same journal was interrupted. */
const copyAll = (source: JournalSource, target: JournalTarget, { beforeUse, mayBeThere }: CopyOptions): Effect.Effect<ReadonlyArray<CopiedStream>, Failure> =>
  Effect.gen(function* () {
    const streams = yield* source.streams
    if (!streams.includes(metadataTopic)) return yield* usage(`${source.where} has no journal of a leader.`)
    const present = yield* target.streams
    const refused = usage(`${target.where} has a journal. Nothing was changed. Choose another prefix or directory.`)
    if (present.includes(metadataTopic) && !mayBeThere) return yield* refused
    const copy = (stream: string) => Effect.scoped(Effect.flatMap(source.read(stream), (image) => copyStream(image, target, present.includes(stream))))
    // The stream of the cluster comes last: a candidate that finds it finds all of them.
    const groups = streams.filter((stream) => stream !== metadataTopic).toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
    const copied = Effect.gen(function* () {
      const first = yield* Effect.forEach(groups, copy)
      yield* beforeUse
      const last = yield* copy(metadataTopic)
      yield* target.finish
      return [...first, last]
    })
    return yield* present.includes(metadataTopic) ? Effect.catchTag(copied, "CliFailure", () => refused) : copied
  })

type Opened = Effect.Effect<readonly [JournalSource, JournalTarget], Failure, Checksum | Scope.Scope>

const directoryOrEngine = (text: string): Effect.Effect<string, CliFailure> => (isEngine(text) ? Effect.succeed(text) : leaderDirectory(text))

const opened = ({ config, from, kind, to }: TransferRequest): Opened =>
  Effect.gen(function* () {
    if (kind === "import") return [yield* exportSource(from), yield* targetAt(to, config)] as const
    const source = yield* sourceAt(yield* directoryOrEngine(from), config)
    if (kind !== "export") return [source, yield* targetAt(to, config)] as const
    if (existsSync(to)) return yield* usage(`${to} exists. Nothing was changed. Name another file.`)
    return [source, yield* exportTarget(to)] as const
  })

/** Copies, exports, imports or moves a journal. */
export const transferJournal: JournalTransfer = (request) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [source, target] = yield* opened(request)
      if (request.kind !== "move") return yield* copyAll(source, target, { mayBeThere: false, beforeUse: Effect.void })
      const { done, keep } = yield* source.reserve(request.to)
      const copied = yield* copyAll(source, target, { mayBeThere: true, beforeUse: keep })
      yield* done
      return copied
    })
  ).pipe(
    Effect.provide(checksum),
    Effect.mapError((fault) => (fault._tag === "CliFailure" ? fault : nodeFailure(fault)))
  )
