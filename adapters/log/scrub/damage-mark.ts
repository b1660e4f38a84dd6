import { Effect, Either, Schema } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { attempt, corrupt, type Disk, faultOf, readSmallFile } from "../disk/disk.ts"
import { inSlices, type Pace } from "../disk/slices.ts"
import { readChecksum } from "../segment/segment-checksum.ts"
import { segmentPath } from "../segment/segment-files.ts"
import { type Damage, SegmentScrub } from "./segment-scrub.ts"

/** Says in a log's directory that a scrub found damage, so that the next start knows it without reading everything. */
export const damageMarkFileName = "damage.json"

/** What the mark says: the segment, for the next start; the rest for the operator who looks into the directory. */
const Mark = Schema.parseJson(Schema.Struct({ v: Schema.Literal(1), baseOffset: Schema.Int, position: Schema.Int, message: Schema.String }))
const decode = Schema.decodeUnknownEither(Mark)
const encode = Schema.encodeSync(Mark)
const markBytesMax = 65_536

const pathOf = (directory: string): string => `${directory}/${damageMarkFileName}`

/** For the operator: what, where, what is whole, what was done, what to do. */
export const damageFault = (directory: string, baseOffset: Offset, { from, isReversible, lastOffset, offset, reason, to }: Damage): LogFault => {
  const { log } = segmentPath(directory, baseOffset)
  const bytes = to - from === 1 ? `byte ${from}` : `bytes ${from} to ${to - 1}`
  const offsets = isReversible
    ? `offset ${offset} or one after it`
    : lastOffset === undefined
      ? `offset ${offset} and maybe more`
      : `offsets ${offset} to ${lastOffset}`
  const repair = isReversible
    ? `\`franz log repair ${directory} --execute\` turns the bit back and loses nothing`
    : `put the file back from a copy, or see with \`franz log repair ${directory}\` what a cut there would lose`
  return corrupt(
    log,
    `${log} is damaged at ${bytes} (${offsets}): ${reason}. It was whole when the segment was ended. Nothing was changed; in this file everything before offset ${offset} is whole. Stop the node; \`franz log verify ${directory}\` shows all that is wrong; ${repair}. Then start the node.`
  )
}

/** Writes the mark down, durably. */
export const writeDamageMark = (disk: Disk, directory: string, baseOffset: Offset, { from }: Damage, { message }: LogFault): Effect.Effect<void, LogFault> =>
  Effect.acquireUseRelease(
    attempt(pathOf(directory), "open", () => disk.open(pathOf(directory), "create")),
    (file) =>
      attempt(file.path, "write", () => {
        file.truncate(0)
        file.write([new TextEncoder().encode(encode({ v: 1, baseOffset, position: from, message }))], 0)
      }).pipe(
        Effect.andThen(Effect.mapError(file.sync, (error) => faultOf(file.path, "sync", error))),
        Effect.andThen(Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error)))
      ),
    (file) => Effect.sync(() => file.close())
  )

const removeDamageMark = (disk: Disk, directory: string): void => {
  if (disk.exists(pathOf(directory))) disk.unlink(pathOf(directory))
}

/** What the mark in a log's directory says; undefined where there is none, or what a power cut left of one: then the next scrub finds the damage again. */
const readMark = (disk: Disk, directory: string): { readonly baseOffset: Offset } | undefined => {
  if (!disk.exists(pathOf(directory))) return undefined
  return Either.getOrUndefined(decode(new TextDecoder().decode(readSmallFile(disk, pathOf(directory), markBytesMax))))
}

/**
 * Before a log is opened: where a mark says that a segment of it is damaged, that segment is read again, in slices. Fails "corrupt" while it is; a segment that is whole
 * again (an operator restored a copy, or repaired it) or gone takes the mark with it.
 */
export const checkDamageMark = (disk: Disk, directory: string, pace: Pace, crc32c: Crc32c): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const mark = yield* attempt(directory, "read", () => readMark(disk, directory))
    if (mark === undefined) return yield* attempt(directory, "write to", () => removeDamageMark(disk, directory))
    const { baseOffset } = mark
    const path = segmentPath(directory, baseOffset)
    const damage = disk.exists(path.log) ? yield* scrubWhole(disk, directory, baseOffset, pace, crc32c) : undefined
    if (damage !== undefined) return yield* damageFault(directory, baseOffset, damage)
    yield* attempt(directory, "write to", () => removeDamageMark(disk, directory))
    yield* Effect.logWarning(`${path.log} was damaged and is whole again, or gone: its partition is opened.`)
  })

/** Reads the segment as a scrub does, from its start to its end. */
const scrubWhole = (disk: Disk, directory: string, baseOffset: Offset, pace: Pace, crc32c: Crc32c): Effect.Effect<Damage | undefined, LogFault> => {
  const path = segmentPath(directory, baseOffset)
  const reading = function* (): Generator<void, Damage | undefined> {
    const bases = disk.list(directory).flatMap((name) => baseOffsetOfLogFile(name) ?? [])
    const endOffset = Math.min(...bases.filter((base) => base > baseOffset), Number.MAX_SAFE_INTEGER)
    const file = disk.open(path.log, "read")
    try {
      const segment = { path, baseOffset, endOffset, sizeInBytes: file.size(), file: () => file }
      // The last one is still written: the files beside it may be older.
      const expected = endOffset === Number.MAX_SAFE_INTEGER ? undefined : readChecksum(disk, segment, crc32c)?.entries
      const scrub = new SegmentScrub(segment, expected, crc32c)
      while (!scrub.isDone) {
        const damage = scrub.step()
        if (damage !== undefined) return damage
        yield
      }
      return undefined
    } finally {
      file.close()
    }
  }
  return inSlices(pace, path.log, "read", reading())
}
