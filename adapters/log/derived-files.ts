import { Effect, Either } from "effect"
import type { Offset } from "../../domain/kernel/id.ts"
import { decodeEpochCheckpoint, type EpochStart, encodeEpochCheckpoint, epochCheckpointFileName } from "../../domain/log/epoch-checkpoint.ts"
import type { DerivedDocuments, DerivedSnapshot, DerivedSource } from "../../src/ports/derived-documents.ts"
import type { LogFault } from "../../src/ports/log-store.ts"
import { attempt, type Disk, type DiskFile, faultOf, readSmallFile } from "./disk/disk.ts"

/** Kafka's names: the offset up to which the producers are folded, in 20 digits. */
const snapshotForm = /^(\d{20})\.snapshot$/
const snapshotFileName = (offset: Offset): string => `${String(offset).padStart(20, "0")}.snapshot`

/** No such file that this program writes is larger: ten thousand producers take 2 MB, and a log has not as many epochs as would take more. */
const documentBytesMax = 67_108_864
/** Snapshots that are kept beside the one at which the last segment begins: when one is torn, the one before it costs a longer look at the log. */
const keptBesideRoll = 2

const temporaryName = `${epochCheckpointFileName}.tmp`
const noEpochs = encodeEpochCheckpoint([])
const utf8 = new TextEncoder()

/** The offsets of the snapshots among a directory's files, the newest first. */
const snapshotOffsets = (names: Iterable<string>): Array<Offset> =>
  [...names]
    .flatMap((name) => {
      const digits = snapshotForm.exec(name)?.[1]
      return digits !== undefined && Number.isSafeInteger(Number(digits)) ? [Number(digits)] : []
    })
    .sort((one, other) => other - one)

/**
 * Takes the leader epochs that begin at or after `end` out of the checkpoint, also where the log itself is not cut: an epoch without records would otherwise be
 * believed as soon as the log has grown past it (KAFKA-10706). True where the checkpoint changed; its name is durable after the next sync of the directory.
 */
export const cutEpochs = (disk: Disk, directory: string, end: Offset): Effect.Effect<boolean, LogFault> =>
  Effect.gen(function* () {
    const path = `${directory}/${epochCheckpointFileName}`
    const temporary = `${directory}/${temporaryName}`
    const starts = yield* attempt(path, "read", () =>
      disk.exists(path) ? decodeEpochCheckpoint(new TextDecoder().decode(readSmallFile(disk, path, documentBytesMax))) : []
    )
    const kept = starts?.filter(({ offset }) => offset < end)
    if (starts === undefined || kept === undefined || kept.length === starts.length) return false
    const written = yield* Effect.either(
      Effect.acquireUseRelease(
        attempt(temporary, "open", () => disk.open(temporary, "create")),
        (file) =>
          attempt(temporary, "write", () => {
            file.truncate(0)
            file.write([utf8.encode(encodeEpochCheckpoint(kept))], 0)
          }).pipe(Effect.andThen(Effect.mapError(file.sync, (error) => faultOf(temporary, "sync", error)))),
        (file) => Effect.sync(() => file.close())
      )
    )
    if (Either.isLeft(written) && written.left.reason !== "full") return yield* written.left
    // On a full disk the checkpoint goes: it is a cache, and the headers of the batches tell the epochs.
    yield* attempt(path, "cut", () => (Either.isRight(written) ? disk.rename(temporary, path) : disk.unlink(path)))
    return true
  })

/**
 * Removes what is derived from batches at or after `end`; all of it where the log `restarts` there. Names are durable after the next sync of the directory, and no
 * snapshot may be left by then: one that is ahead would be believed as soon as the log has grown past it.
 */
export const cutDerivedFiles = (disk: Disk, directory: string, end: Offset, restarts: boolean): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    yield* attempt(directory, "cut", () => {
      const names = new Set(disk.list(directory))
      for (const offset of snapshotOffsets(names)) if (restarts || offset > end) disk.unlink(`${directory}/${snapshotFileName(offset)}`)
      if (restarts && names.has(epochCheckpointFileName)) disk.unlink(`${directory}/${epochCheckpointFileName}`)
    })
    if (!restarts) yield* cutEpochs(disk, directory, end)
  })

/** The files of what is derived from one log: written by the log at rolls and when it closes, read by its owner when it opens. */
export class DerivedFiles implements DerivedDocuments {
  private source: DerivedSource | undefined
  private offsets: Array<Offset> = []
  /** The file of epochs is there. */
  private hasEpochs = false
  /** The text that it has; undefined while it was not read. */
  private epochsWritten: string | undefined
  /** Text that waits beside it to take its place. */
  private epochsDue: { readonly text: string; readonly file: DiskFile } | undefined
  /** A snapshot that waits for a sync, and the last one that had it. */
  private snapshotDue: { readonly offset: Offset; readonly file: DiskFile } | undefined
  private durable: Offset = -1
  /** Files that were ahead of the log were removed: the directory must be synced before anything is appended. */
  removedAhead = false

  /** `names` are the files in the directory. Removes the snapshots that are ahead of the log. Throws what the disk throws. */
  constructor(
    private readonly disk: Disk,
    private readonly directory: string,
    names: Iterable<string>,
    private start: Offset,
    /** The active segment. */
    public active: { readonly baseOffset: Offset; readonly endOffset: Offset }
  ) {
    this.load(names)
  }

  /** The log was cut: the files in the directory are `names` now. The source has folded what is gone, so it is forgotten until `keep` is called again. */
  reload(names: Iterable<string>, start: Offset, active: DerivedFiles["active"]): void {
    this.closeAll([this.epochsDue?.file, this.snapshotDue?.file].filter((file) => file !== undefined))
    this.start = start
    this.active = active
    this.source = this.epochsDue = this.snapshotDue = this.epochsWritten = undefined
    this.durable = -1
    this.load(names)
  }

  /** The checkpoint of epochs was written from elsewhere. */
  epochsChanged(): void {
    this.epochsWritten = undefined
  }

  private load(names: Iterable<string>): void {
    const { directory, disk } = this
    const there = [...names]
    const all = snapshotOffsets(there)
    this.hasEpochs = there.includes(epochCheckpointFileName)
    if (there.includes(temporaryName)) disk.unlink(`${directory}/${temporaryName}`)
    const end = this.active.endOffset
    // What is appended next takes the place of what they were made from.
    for (const ahead of all) if (ahead > end) this.remove(ahead)
    this.offsets = all.filter((offset) => offset <= end)
    this.removedAhead = this.offsets.length < all.length
  }

  get snapshots(): ReadonlyArray<DerivedSnapshot> {
    // One before the first segment lacks what stood between, and would call the next batch of a producer out of order.
    return this.offsets.filter((offset) => offset >= this.start).map((offset) => ({ offset, read: () => this.read(snapshotFileName(offset)) }))
  }

  readonly epochs = (): ReadonlyArray<EpochStart> => {
    const bytes = this.hasEpochs ? this.read(epochCheckpointFileName) : undefined
    this.epochsWritten = bytes === undefined ? undefined : new TextDecoder().decode(bytes)
    const starts = decodeEpochCheckpoint(this.epochsWritten ?? "") ?? []
    const { endOffset } = this.active
    // Of an emptied log the last one is at its end.
    return starts.filter(({ offset }) => offset < endOffset || (offset === endOffset && this.start === endOffset))
  }

  readonly keep = (source: DerivedSource): void => {
    this.source = source
  }

  /** A snapshot is a cache: one that cannot be written is missing, no more. */
  readonly save = (): void => {
    if (this.source !== undefined) this.closeAll(this.writeSnapshot(this.source))
  }

  /**
   * Both documents of the log as it ends now, for the next sync of the log: answers the files to be synced with it. `commit` follows when the log's own bytes are durable, too.
   * A snapshot of that offset is written again: it is unknown whether it was synced, or is whole, and the segments that are dropped next may be all that could replace it.
   */
  write(): ReadonlyArray<DiskFile> {
    const { source } = this
    if (source === undefined || this.active.endOffset === 0) return []
    const [snapshot] = this.writeSnapshot(source)
    this.snapshotDue = snapshot === undefined ? undefined : { offset: this.active.endOffset, file: snapshot }
    return [...(snapshot === undefined ? [] : [snapshot]), ...this.writeEpochs(source)]
  }

  /** The same before the `sealed` segments that end at or before `offset` go, where no snapshot that is surely durable tells what only they tell otherwise. */
  writeFor(sealed: ReadonlyArray<{ readonly endOffset: Offset }>, offset: Offset): ReadonlyArray<DiskFile> {
    const last = sealed.findLast(({ endOffset }) => endOffset <= offset)?.endOffset
    const isKnown = last === undefined || this.durable >= last || (this.snapshotDue !== undefined && this.snapshotDue.offset >= last)
    return isKnown ? [] : this.write()
  }

  /** The bytes of these files are durable, and the log up to them. The directory is to be synced after it. */
  commit(synced: ReadonlyArray<DiskFile>): void {
    const due = this.epochsDue
    if (due === undefined || !synced.includes(due.file)) return
    this.epochsDue = undefined
    const path = `${this.directory}/${epochCheckpointFileName}`
    if (Either.isRight(attempt(path, "rename", () => this.disk.rename(due.file.path, path)))) {
      this.hasEpochs = true
      this.epochsWritten = due.text
    }
  }

  /** Their names are durable, too: what they take the place of can go. */
  settled(synced: ReadonlyArray<DiskFile>): void {
    const due = this.snapshotDue
    if (due === undefined || !synced.includes(due.file)) return
    this.snapshotDue = undefined
    this.durable = due.offset
    this.removeOld()
  }

  /**
   * A snapshot for when the log is opened next; it knows the epochs, too. It is synced only where an older one goes for it: where it is torn, the log and those before it
   * tell. One file for each log: thousands of them close together.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { disk, directory, source } = this
    if (source === undefined || this.active.endOffset === 0 || this.offsets[0] === this.active.endOffset) return Effect.void
    const files = this.writeSnapshot(source)
    const isFull = this.offsets.length > keptBesideRoll + 1
    return Effect.gen(this, function* () {
      if (!isFull) return
      for (const file of files) yield* file.sync
      yield* disk.syncDirectory(directory)
      this.removeOld()
    }).pipe(Effect.ignore, Effect.ensuring(Effect.sync(() => this.closeAll(files))))
  })

  private closeAll(files: ReadonlyArray<DiskFile>): void {
    for (const file of files) attempt(file.path, "close", () => file.close())
  }

  private writeSnapshot(source: DerivedSource): ReadonlyArray<DiskFile> {
    const offset = this.active.endOffset
    const file = this.put(snapshotFileName(offset), source.snapshot())
    if (file === undefined) return []
    if (this.offsets[0] !== offset) this.offsets.unshift(offset)
    return [file]
  }

  private writeEpochs(source: DerivedSource): ReadonlyArray<DiskFile> {
    const text = encodeEpochCheckpoint(source.epochs())
    if (text === (this.epochsDue?.text ?? this.epochsWritten ?? noEpochs)) return []
    const file = this.put(temporaryName, utf8.encode(text))
    if (file === undefined) return []
    this.epochsDue = { text, file }
    return [file]
  }

  /** A newer one is durable, with its name. The one at the beginning of the last segment stays, and two others. */
  private removeOld(): void {
    if (this.offsets.length <= keptBesideRoll + 1) return
    const atRoll = this.offsets.find((offset) => offset <= this.active.baseOffset)
    const kept = new Set([...this.offsets.filter((offset) => offset !== atRoll).slice(0, keptBesideRoll), atRoll])
    for (const offset of this.offsets) if (!kept.has(offset)) attempt(this.directory, "remove", () => this.remove(offset))
    this.offsets = this.offsets.filter((offset) => kept.has(offset))
  }

  private remove(offset: Offset): void {
    this.disk.unlink(`${this.directory}/${snapshotFileName(offset)}`)
  }

  private put(name: string, bytes: Uint8Array): DiskFile | undefined {
    const path = `${this.directory}/${name}`
    const written = attempt(path, "write", () => {
      // Never over an older one: of two that were mixed by a power cut each sector would look right.
      if (this.disk.exists(path)) this.disk.unlink(path)
      const file = this.disk.open(path, "create")
      const done = attempt(path, "write", () => file.write([bytes], 0))
      if (Either.isRight(done)) return file
      attempt(path, "close", () => file.close())
      attempt(path, "remove", () => this.disk.unlink(path))
      return undefined
    })
    return Either.getOrUndefined(written)
  }

  /** One that is gone is as one that cannot be read. */
  private read(name: string): Uint8Array | undefined {
    const path = `${this.directory}/${name}`
    return Either.getOrUndefined(attempt(path, "read", () => readSmallFile(this.disk, path, documentBytesMax)))
  }
}
