import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import type { System } from "./world.ts"

/** A mistake that the test plants in the source of the log store by replacing text that must be present. */
interface Mutant {
  readonly name: string
  readonly mistake: string
  readonly changes: ReadonlyArray<{ readonly file: string; readonly from: string; readonly to: string }>
  /** The workloads whose images reveal it, or damage to synced bytes, which a power cut never causes. */
  readonly only: ReadonlyArray<string> | "damage"
}

const trustIndexes = [
  { file: "segment/segment-files.ts", from: "return faultIn(bytes) === undefined ? bytes : undefined", to: "void faultIn\n  return bytes" },
  { file: "segment/segment-files.ts", from: "isBlankTimeEntry(time) &&", to: "false &&" },
  { file: "segment/segment-read.ts", from: "indexed.wrong === undefined || from === 0 ? indexed : walkTo(segment, 0, offset)", to: "indexed" }
]

const toTruncate = ["truncate"]
const toRestart = ["restart"]

/** Mistakes in the truncation of a log. */
const cutMutants: ReadonlyArray<Mutant> = [
  {
    name: "point-lowered-after-the-cut",
    mistake: "the recovery point is lowered when the log is cut already",
    changes: [{ file: "cut.ts", from: "yield* Effect.onError(lowered(log, point), () => Effect.sync(drop))", to: "void [lowered, drop]" }],
    only: toTruncate
  },
  {
    name: "lowered-point-not-synced",
    mistake: "the log is cut before the lowered recovery point is durable",
    changes: [{ file: "cut.ts", from: "yield* parts.recoveryPoint.sync\n", to: "\n" }],
    only: toTruncate
  },
  {
    name: "restart-before-the-point",
    mistake: "a log restarts before the recovery point that says so is durable",
    changes: [{ file: "cut.ts", from: "yield* parts.recoveryPoint.sync\n", to: "\n" }],
    only: toRestart
  },
  {
    name: "cut-names-not-synced",
    mistake: "the recovery point says that the cut is over before the names of what went are durable",
    changes: [
      { file: "recovery/finish-cut.ts", from: "base))))\n      yield* syncNames", to: "base))))" },
      { file: "recovery/finish-cut.ts", from: "crc32c, failed)\n    yield* syncNames", to: "crc32c, failed)" }
    ],
    only: toTruncate
  },
  {
    name: "cut-not-synced",
    mistake: "the recovery point says that the cut is over before the last segment's new size is durable",
    changes: [{ file: "recovery/finish-cut.ts", from: ".pipe(Effect.andThen(Effect.mapError(file.sync, (error) => failed(path.log, error))))", to: "" }],
    only: toTruncate
  },
  {
    name: "failed-cut-taken-for-clean",
    mistake: "a size whose sync failed is called right by the next start, as the kernel calls it",
    changes: [{ file: "recovery/finish-cut.ts", from: "if (isAgain && file.size() === position) file.truncate(position + 1)", to: "void isAgain" }],
    only: toTruncate
  },
  {
    name: "cut-over-not-durable",
    mistake: "a cut is answered before it is durable that it is over",
    changes: [{ file: "recovery/recovery-point.ts", from: "return Effect.flatMap(written, (file) => file.sync)", to: "return Effect.asVoid(written)" }],
    only: toTruncate
  },
  {
    name: "stale-snapshot-kept",
    mistake: "a producer snapshot of what was cut stays",
    changes: [{ file: "derived-files.ts", from: "if (restarts || offset > end) disk.unlink", to: "if (restarts) disk.unlink" }],
    only: toTruncate
  },
  {
    name: "snapshot-kept-at-restart",
    mistake: "producer snapshots stay where a log restarts",
    changes: [{ file: "derived-files.ts", from: "if (restarts || offset > end) disk.unlink", to: "if (!restarts && offset > end) disk.unlink" }],
    only: toRestart
  },
  {
    name: "epochs-of-the-cut-kept",
    mistake: "leader epochs that began behind a cut stay in their checkpoint",
    changes: [{ file: "derived-files.ts", from: "if (!restarts) yield* cutEpochs(disk, directory, end)", to: "" }],
    only: toTruncate
  },
  {
    name: "empty-epochs-kept",
    mistake: "a leader epoch without records stays where nothing but it is cut (KAFKA-10706)",
    changes: [
      {
        file: "cut.ts",
        from: "const isCut = yield* cutEpochs(parts.disk, directory, segments.end)",
        to: "const isCut = false as boolean\n      void [cutEpochs, directory, parts]"
      }
    ],
    only: toTruncate
  },
  {
    name: "compaction-note-not-cut",
    mistake: "a compaction note still excuses offset gaps after the truncation",
    changes: [
      { file: "recovery/finish-cut.ts", from: "if (left !== note) yield* writeNote(disk, directory, left, crc32c, failed)", to: "void [writeNote, crc32c]" }
    ],
    only: toTruncate
  },
  {
    name: "tail-not-forgotten",
    mistake: "batches that were cut stay in memory, and are read from there",
    changes: [{ file: "log-core.ts", from: "this.reads.forget()\n    this.parts.tail.clear()\n  }", to: "this.reads.forget()\n  }" }],
    only: toTruncate
  },
  {
    name: "synced-end-not-lowered",
    mistake: "the synced end stays where it was before the cut",
    changes: [
      { file: "log-sync.ts", from: "this.end = offset\n    this.at = { baseOffset, position }", to: "void offset\n    this.at = { baseOffset, position }" }
    ],
    only: toTruncate
  },
  {
    name: "old-segments-stay-at-restart",
    mistake: "segments before the new start stay where a log restarts",
    changes: [
      { file: "recovery/finish-cut.ts", from: "if (restarts ? base === baseOffset : base <= baseOffset) continue", to: "if (base <= baseOffset) continue" }
    ],
    only: toRestart
  },
  {
    name: "index-entries-kept",
    mistake: "the segment that is cut keeps index entries of what went",
    changes: [
      { file: "segment/cut-segment.ts", from: "while (offsets > 0 && offsetEntryAt(offset, offsets - 1, baseOffset).position >= position) offsets--", to: "" },
      { file: "segment/cut-segment.ts", from: "|| next !== end)", to: "&& next === end)" },
      { file: "segment/cut-segment.ts", from: "if (walked.wrong !== undefined || walked.position !== position", to: "if (walked.wrong !== undefined" }
    ],
    only: toTruncate
  }
]

/** Mistakes in the syncs that logs share. */
const sharedMutants: ReadonlyArray<Mutant> = [
  {
    name: "shared-ack-before-its-sync",
    mistake: "a request that comes while a shared sync runs is answered by that sync",
    changes: [
      {
        file: "disk/shared-sync.ts",
        from: "while (count < waits.length && covers(covered, (waits[count] as Wait<Point>).ticket)) count++",
        to: "count = waits.length"
      }
    ],
    only: ["shared-sync"]
  },
  {
    name: "shared-log-left-out",
    mistake: "a log on another volume waits for the shared sync, which does not write it",
    changes: [{ file: "log-sync.ts", from: "shared.holds(point.active.path.log)", to: "true" }],
    only: ["shared-sync"]
  },
  {
    name: "shared-error-swallowed",
    mistake: "a shared sync that failed is taken for one that succeeded",
    changes: [{ file: "disk/shared-sync.ts", from: "if (error !== undefined) return this.failed(error)", to: "void [error, this.failed]" }],
    only: ["shared-sync"]
  }
]

export const mutants: ReadonlyArray<Mutant> = [
  ...cutMutants,
  ...sharedMutants,
  {
    name: "index-before-log",
    mistake: "a round syncs the index and takes the log for synced",
    changes: [{ file: "log-sync.ts", from: "yield* changes.active.file().sync", to: 'yield* disk.open(changes.active.path.offsetIndex, "create").sync' }],
    only: ["append", "roll"]
  },
  {
    name: "index-trusted",
    mistake: "the indexes that an unsynced close left are believed as they are",
    changes: [...trustIndexes, { file: "recovery/open-segments.ts", from: "if (!isAsClosed)", to: "void isAsClosed\n  if (false as boolean)" }],
    only: ["reopen", "full-disk"]
  },
  {
    name: "sealed-indexes-not-synced",
    mistake: "the recovery point passes a segment whose indexes are not durable, and blank ones are believed",
    changes: [
      { file: "segment/segment-list.ts", from: "old.file(), ...openBeside(this.disk, sealed)", to: "old.file()" },
      { file: "recovery/open-segments.ts", from: "isBlankTimeEntry(time)", to: "time.length === 0" },
      { file: "segment/segment-files.ts", from: "isBlankTimeEntry(time) &&", to: "time.length === 0 &&" }
    ],
    only: ["roll", "retention", "reopen"]
  },
  {
    name: "cut-before-synced",
    mistake: "a torn tail is cut wherever it begins, and whatever it looks like",
    changes: [
      { file: "recovery/open-segments.ts", from: "if (point !== undefined && offset < point.offset) throw", to: "if (false as boolean) throw" },
      { file: "recovery/open-segments.ts", from: "if (damage !== undefined) throw", to: "if (false as boolean) throw" },
      { file: "recovery/open-segments.ts", from: "if (point !== undefined && walked.end.offset < point.offset)", to: "if (false as boolean)" }
    ],
    only: "damage"
  },
  {
    name: "sync-retried",
    mistake: "a sync that failed is tried again, and its success believed",
    changes: [
      { file: "log-sync.ts", from: "yield* changes.active.file().sync", to: "yield* Effect.retry(changes.active.file().sync, { times: 2 })" },
      { file: "disk/file-pool.ts", from: "this.failure ??= { error }", to: "void error" }
    ],
    only: ["failed-sync"]
  },
  {
    name: "forgotten-pages-not-rewritten",
    mistake: "after a failed sync the next start syncs what the kernel calls clean",
    changes: [{ file: "open-log.ts", from: "if (mustRewrite)", to: "if (false as boolean)" }],
    only: ["failed-sync"]
  },
  {
    name: "new-segment-not-named",
    mistake: "the directory is not synced after a segment was made in it",
    changes: [{ file: "log-sync.ts", from: "if (changes.hasNewNames) yield* disk.syncDirectory(directory)", to: "" }],
    only: ["append", "roll"]
  },
  {
    name: "new-log-not-named",
    mistake: "the data directory is not synced after a log's directory was made in it",
    changes: [{ file: "log-sync.ts", from: "if (changes.isNewInRoot) yield* disk.syncDirectory(root)", to: "" }],
    only: ["append"]
  },
  {
    name: "rename-not-synced",
    mistake: "a checkpoint is answered before its new name is durable",
    changes: [
      { file: "disk/checkpoint.ts", from: 'yield* Effect.mapError(this.disk.syncDirectory(this.directory), (error) => faultOf(path, "write", error))', to: "" }
    ],
    only: ["checkpoint", "journal"]
  },
  {
    name: "checkpoint-not-synced",
    mistake: "a checkpoint is renamed before its bytes are durable",
    changes: [{ file: "disk/checkpoint.ts", from: 'Effect.andThen(Effect.mapError(file.sync, (error) => faultOf(path, "sync", error))), ', to: "" }],
    only: ["checkpoint", "journal"]
  },
  {
    name: "newer-written-over",
    mistake: "on a full disk a checkpoint is written over the newer slot, not the older",
    changes: [
      {
        file: "disk/checkpoint.ts",
        from: 'yield* this.put(path, "write", stored)',
        to: 'yield* this.put(`${path.slice(0, -1)}${1 - Number(path.at(-1))}`, "write", stored)'
      }
    ],
    only: ["full-checkpoint"]
  },
  {
    name: "removal-not-named",
    mistake: "a log's files are deleted before its new name, that says so, is durable",
    changes: [
      { file: "leaving-logs.ts", from: "yield* syncing(disk, root)\n    yield* Effect.mapError(removeTreeApart", to: "yield* Effect.mapError(removeTreeApart" }
    ],
    only: ["removal"]
  },
  {
    name: "roll-during-sync",
    mistake: "a segment that is sealed while a round runs counts as synced by it",
    changes: [{ file: "segment/segment-list.ts", from: "files: [...this.unsynced]", to: "files: this.unsynced" }],
    only: ["roll", "retention"]
  },
  {
    name: "recovery-not-synced",
    mistake: "what recovery found is built upon before it is durable",
    changes: [{ file: "open-log.ts", from: "yield* Effect.mapError(file.sync, failed)", to: "void failed" }],
    only: ["reopen", "failed-sync", "append"]
  },
  {
    name: "compacted-not-synced",
    mistake: "a compacted segment takes the place of others before it is durable",
    changes: [{ file: "compaction/segment-writer.ts", from: "Effect.forEach(files, (file)", to: "Effect.forEach(files.slice(1), (file)" }],
    only: ["compaction"]
  },
  {
    name: "swap-not-named",
    mistake: "the old segments go before it is durable that the new one takes their place",
    changes: [
      {
        file: "compaction/swap.ts",
        from: 'yield* attempt(directory, "rename segments of", also)\n    yield* syncNames(log)',
        to: 'yield* attempt(directory, "rename segments of", also)'
      }
    ],
    only: ["compaction"]
  },
  {
    name: "old-segments-come-back",
    mistake: "the compacted segment gets its name before the old ones are gone for good",
    changes: [{ file: "compaction/swap.ts", from: "yield* syncNames(log)\n      yield* attempt", to: "yield* attempt" }],
    only: ["compaction"]
  },
  {
    name: "swap-forgotten",
    mistake: "the note says that a swap is over before the segment's last name is durable",
    changes: [{ file: "compaction/swap.ts", from: "yield* syncNames(log)\n      log.removeLater", to: "log.removeLater" }],
    only: ["compaction"]
  },
  {
    name: "gap-taken-for-damage",
    mistake: "recovery does not look at what compaction noted",
    changes: [{ file: "open-log.ts", from: "compacted: ranges", to: "compacted: new Map<number, number>()" }],
    only: ["compaction"]
  },
  {
    name: "checksum-too-early",
    mistake: "the checksum of a segment takes the headers of its last batches before they have their offsets",
    changes: [
      {
        file: "segment/segments.ts",
        from: "this.chain?.add(batch)",
        to: "this.chain?.add(this.state.sizeInBytes < 1200 ? batch : Object.assign(Object.create(batch), { bytes: batch.bytes.slice().fill(0, 4, 8) }))"
      }
    ],
    only: ["roll", "retention"]
  },
  {
    name: "checksum-trusted-though-torn",
    mistake: "a checksum file is believed whatever a power cut left of it",
    changes: [
      {
        file: "segment/segment-checksum.ts",
        from: "decodeChecksum(bytes, crc32c)",
        to: "(decodeChecksum(bytes, crc32c) ?? { baseOffset, sizeInBytes, entries: [] })"
      }
    ],
    only: ["scrub"]
  },
  {
    name: "snapshot-ahead-trusted",
    mistake: "a snapshot that is ahead of what the cut left is believed",
    changes: [
      { file: "derived-files.ts", from: "for (const ahead of all) if (ahead > end) this.remove(ahead)", to: "" },
      { file: "derived-files.ts", from: "all.filter((offset) => offset <= end)", to: "all" }
    ],
    only: ["derived"]
  },
  {
    name: "epochs-not-cut",
    mistake: "the checkpoint of epochs is put in its place before the log is durable, and not cut where the log was",
    changes: [
      {
        file: "log-sync.ts",
        from: "for (const file of changes.files) yield* file.sync",
        to: "this.derived.commit(changes.files)\n      for (const file of changes.files) yield* file.sync"
      },
      {
        file: "derived-files.ts",
        from: "return starts.filter(({ offset }) => offset < endOffset || (offset === endOffset && this.start === endOffset))",
        to: "return starts"
      }
    ],
    only: ["derived"]
  },
  {
    name: "deleted-before-snapshot",
    mistake: "segments go while no durable snapshot tells what stood in them",
    changes: [
      { file: "delete-before.ts", from: "derived.writeFor(segments.sealed, offset)", to: "[]" },
      { file: "derived-files.ts", from: "return [...(snapshot === undefined ? [] : [snapshot]), ", to: "return [" }
    ],
    only: ["derived"]
  }
]

const room = resolve(import.meta.dir, "../../../../adapters/log")
/** Directories that are not part of the store over a disk. */
const notCopied = ["file", "inspect", "memory"]
const importForm = /(from\s+")([^"]+)(")/g

/** The log store with the mistake: a copy of its files that imports all other modules from the real source. */
export const plant = async ({ changes, name }: Mutant): Promise<{ readonly system: System; readonly end: () => void }> => {
  const directory = fs.mkdtempSync(join(tmpdir(), "franz-mutant-"))
  const files = fs
    .readdirSync(room, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .filter((file) => !notCopied.includes(dirname(file)))
  const copied = new Set(files.map((file) => join(room, file)))
  for (const folder of new Set(files.map(dirname))) fs.mkdirSync(join(directory, folder), { recursive: true })
  for (const file of files) {
    let source = fs.readFileSync(join(room, file), "utf8")
    for (const change of changes.filter((one) => one.file === file)) {
      if (!source.includes(change.from)) throw new Error(`The mutant ${name} finds no '${change.from}' in ${file} any more.`)
      source = source.replace(change.from, () => change.to)
    }
    const target = (from: string): string => {
      if (!from.startsWith(".")) return Bun.resolveSync(from, room)
      const path = resolve(room, dirname(file), from)
      return copied.has(path) ? from : path
    }
    fs.writeFileSync(
      join(directory, file),
      source.replace(importForm, (_all, before: string, from: string, after: string) => `${before}${target(from)}${after}`)
    )
  }
  const store: { readonly makeStore: System["makeStore"] } = await import(join(directory, "store.ts"))
  return { system: store, end: () => fs.rmSync(directory, { recursive: true, force: true }) }
}
