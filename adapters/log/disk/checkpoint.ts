import { Effect, Either } from "effect"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { readInt32, readInt64, readUint32, writeInt32, writeInt64 } from "../../../domain/log/int.ts"
import { loopTurn } from "../../../src/ports/event-loop.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { attempt, corrupt, type Disk, faultOf, type ReadableDisk, readSmallFile } from "./disk.ts"

// magic (int32), generation (int64), length (int32), CRC-32C over what is before it and over the document (uint32).
const headerBytes = 20
const magic = 0x43464331
/** Bytes that a document may have: the snapshot of a large cluster fits, a file that was put there by mistake does not. */
const documentBytesMax = 1_073_741_824

/** Bytes that are written at a time: some tenths of a millisecond. */
const stepBytes = 1_048_576

const temporarySuffix = ".tmp"
const nameForm = /^[A-Za-z0-9][A-Za-z0-9.-]{0,199}$/

interface Stored {
  readonly generation: number
  readonly document: Uint8Array
}

const checksum = (crc32c: Crc32c, header: Uint8Array, document: Uint8Array): number => {
  const both = new Uint8Array(20)
  both.set(header.subarray(0, 16))
  writeInt32(both, 16, crc32c(document))
  return crc32c(both)
}

const encodeHeader = (crc32c: Crc32c, { document, generation }: Stored): Uint8Array => {
  const header = new Uint8Array(headerBytes)
  writeInt32(header, 0, magic)
  writeInt64(header, 4, generation)
  writeInt32(header, 12, document.length)
  writeInt32(header, 16, checksum(crc32c, header, document))
  return header
}

const decode = (crc32c: Crc32c, bytes: Uint8Array): Stored | undefined => {
  if (bytes.length < headerBytes || readInt32(bytes, 0) !== magic || readInt32(bytes, 12) !== bytes.length - headerBytes) return undefined
  const document = bytes.subarray(headerBytes)
  return readUint32(bytes, 16) === checksum(crc32c, bytes.subarray(0, headerBytes), document) ? { generation: readInt64(bytes, 4), document } : undefined
}

/** Reads the documents of a data directory's checkpoints, and changes nothing. */
export class CheckpointReader {
  readonly directory: string
  /** Slots that were named as damaged. */
  private readonly reported = new Set<string>()

  constructor(
    private readonly disk: ReadableDisk,
    /** The data directory, which must exist. */
    private readonly root: string,
    private readonly crc32c: Crc32c
  ) {
    this.directory = `${root}/checkpoints`
  }

  readonly read = (name: string): Effect.Effect<Uint8Array | undefined, LogFault> =>
    Effect.suspend(() => Either.flatMap(this.checkName(name), () => this.newest(name))).pipe(
      Effect.tap(({ spoiled, stored }) =>
        spoiled === undefined || this.reported.size === this.reported.add(spoiled).size
          ? Effect.void
          : Effect.logWarning(`${spoiled} is damaged (its checksum does not fit); the copy beside it, generation ${stored?.generation}, is used.`)
      ),
      Effect.map(({ stored }) => stored?.document)
    )

  slot(name: string, slot: number): string {
    return `${this.directory}/${name}.${slot}`
  }

  /** What a slot holds; undefined for nothing, and for bytes that are no whole document. */
  private readSlot(name: string, slot: number): Either.Either<Stored | undefined, LogFault> {
    const path = this.slot(name, slot)
    return attempt(path, "read", () =>
      this.disk.exists(path) ? decode(this.crc32c, readSmallFile(this.disk, path, documentBytesMax + headerBytes)) : undefined
    )
  }

  /** The newer of the slots that are whole, and which of those that are there is not. A slot is renamed into its place when it is durable, so that one is whole after every crash. */
  newest(name: string): Either.Either<{ readonly stored: Stored | undefined; readonly spoiled: string | undefined }, LogFault> {
    return Either.flatMap(Either.all([this.readSlot(name, 0), this.readSlot(name, 1)]), ([even, odd]) => {
      const stored = odd === undefined || (even !== undefined && even.generation > odd.generation) ? even : odd
      const spoiled = [even, odd].flatMap((found, at) => (found === undefined && this.disk.exists(this.slot(name, at)) ? [this.slot(name, at)] : []))
      if (stored !== undefined || spoiled[0] === undefined) return Either.right({ stored, spoiled: spoiled[0] })
      return Either.left(
        corrupt(
          spoiled[0],
          `${spoiled.join(" and ")}: damaged, the checksum does not fit, and no other copy is whole. Nothing was changed. Restore ${this.root} from a copy; \`franz log verify ${this.root}\` tells whether its logs are whole.`
        )
      )
    })
  }

  checkName(name: string): Either.Either<void, LogFault> {
    return nameForm.test(name)
      ? Either.void
      : Either.left(new LogFault({ path: this.directory, reason: "io", message: `'${name}' cannot name a checkpoint: letters, digits, '-' and '.' can.` }))
  }
}

/**
 * Small documents that are replaced whole. Each has two slots, and a new one goes into the older: written beside it, synced, renamed over it, the directory
 * synced. So at every moment, a power cut included, one whole document is there, and after damage to the newer the one before it.
 */
export class Checkpoints {
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private readonly directory: string
  private isMade = false
  readonly read: CheckpointReader["read"]
  private readonly reader: CheckpointReader

  constructor(
    private readonly disk: Disk,
    /** The data directory, which must be there. */
    private readonly root: string,
    private readonly crc32c: Crc32c
  ) {
    this.reader = new CheckpointReader(disk, root, crc32c)
    this.directory = this.reader.directory
    this.read = this.reader.read
  }

  /** Removes what a write that was cut off left beside the documents. */
  begin(): void {
    if (!this.disk.exists(this.directory)) return
    for (const name of this.disk.list(this.directory)) if (name.endsWith(temporarySuffix)) this.disk.unlink(`${this.directory}/${name}`)
  }

  /** The directory for them, durable before the first document is. */
  private readonly make: Effect.Effect<void, LogFault> = Effect.suspend(() =>
    this.isMade
      ? Effect.void
      : attempt(this.directory, "make", () => this.disk.makeDirectory(this.directory)).pipe(
          Effect.andThen(Effect.mapError(this.disk.syncDirectory(this.root), (error) => faultOf(this.root, "sync", error))),
          Effect.andThen(Effect.sync(() => void (this.isMade = true)))
        )
  )

  /** Damage is left as it is found, for the operator to see; a document that `isDerived` can be made anew, and replaces it. */
  readonly write = (name: string, document: Uint8Array, isDerived = false): Effect.Effect<void, LogFault> => {
    return Effect.gen(this, function* () {
      yield* this.reader.checkName(name)
      const found = this.reader.newest(name)
      const isReplaced = isDerived && Either.isLeft(found) && found.left.reason === "corrupt"
      const generation = (isReplaced ? 0 : ((yield* found).stored?.generation ?? 0)) + 1
      yield* this.make
      yield* this.replace(name, { generation, document })
      // Both slots are there from the first on: on a full disk there is none to be had.
      if (generation === 1) yield* this.replace(name, { generation: 2, document })
    }).pipe(Effect.uninterruptible, this.turn.withPermits(1))
  }

  private replace(name: string, stored: Stored): Effect.Effect<void, LogFault> {
    const path = this.reader.slot(name, stored.generation % 2)
    const temporary = `${path}${temporarySuffix}`
    return Effect.gen(this, function* () {
      yield* this.put(temporary, "create", stored)
      yield* attempt(path, "rename", () => this.disk.rename(temporary, path))
      yield* Effect.mapError(this.disk.syncDirectory(this.directory), (error) => faultOf(path, "write", error))
    }).pipe(
      Effect.catchIf(
        ({ reason }) => reason === "full",
        (full) => this.overwrite(path, temporary, stored, full)
      )
    )
  }

  /**
   * On a full disk the older slot is overwritten in place, which takes no space: what lets go of records would have to wait for room otherwise, and there
   * would never be any. Cut off in the middle it leaves the newer slot, as before.
   */
  private overwrite(path: string, temporary: string, stored: Stored, full: LogFault): Effect.Effect<void, LogFault> {
    return Effect.gen(this, function* () {
      yield* attempt(temporary, "remove", () => this.disk.exists(temporary) && this.disk.unlink(temporary))
      if (!(yield* attempt(path, "look for", () => this.disk.exists(path)))) return yield* full
      yield* this.put(path, "write", stored)
    })
  }

  /** Writes a document in steps: that of a large cluster has 20 MB, and other connections are served between two steps. */
  private put(path: string, mode: "create" | "write", stored: Stored): Effect.Effect<void, LogFault> {
    const { document } = stored
    const bytes = headerBytes + document.length
    return Effect.gen(this, function* () {
      const file = yield* attempt(path, "open", () => this.disk.open(path, mode))
      const step = (work: () => void) => attempt(path, "write", work)
      const written = Effect.gen(this, function* () {
        yield* step(() => {
          if (mode === "create") file.truncate(0)
          file.write([encodeHeader(this.crc32c, stored), document.subarray(0, stepBytes)], 0)
        })
        for (let at = stepBytes; at < document.length; at += stepBytes) {
          yield* loopTurn
          yield* step(() => file.write([document.subarray(at, at + stepBytes)], headerBytes + at))
        }
        yield* step(() => {
          if (file.size() > bytes) file.truncate(bytes)
        })
      })
      yield* written.pipe(Effect.andThen(Effect.mapError(file.sync, (error) => faultOf(path, "sync", error))), Effect.ensuring(Effect.sync(() => file.close())))
    })
  }
}
