import { Effect } from "effect"
import { printable } from "../../../domain/kernel/printable.ts"
import type { Dumped } from "../../../domain/log/inspection.ts"
import { type CliCommand, command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { print, printError, printJson, write } from "../shell/screen.ts"
import { argument, flag } from "../shell/spec.ts"
import { dumpJson, dumpLines } from "./dump-text.ts"
import { repairLines, verifyLines } from "./report-text.ts"
import type { LogTool } from "./tool.ts"

const json = flag({ name: "json", help: "Print one JSON object per line." })
const directory = argument("DIR", "A data directory (of one node, or of `franz up`), or the directory of one partition.")

/** Bytes of a file between two updates of the progress line. */
const progressBytes = 67_108_864

/** Shows the progress on one line of the terminal; nothing where standard error is not a terminal. */
const progressLine = () => {
  const isTerminal = process.stderr.isTTY === true
  let file = ""
  let next = progressBytes
  const clear = () => {
    if (isTerminal && file !== "") process.stderr.write("\r\u001b[K")
    file = ""
  }
  return {
    clear,
    progress: (of: string, bytes: number): void => {
      if (!isTerminal) return
      if (of !== file) next = progressBytes
      if (bytes < next) return
      file = of
      next = bytes + progressBytes
      process.stderr.write(`\r\u001b[K${printable(of)}: ${Math.floor(bytes / 1_048_576)} MiB read`)
    }
  }
}

const verifyCommand = (tool: LogTool): CliCommand<never> =>
  command({
    path: "log verify",
    summary: "verify the logs of a data directory, without changes",
    about: [
      "Reads every batch and every index entry (checksums, offsets, epochs, counts, order), and folds the journals of a leader.",
      "Exit code 0: no findings. 65: findings, each with its position, its meaning and what to do."
    ],
    example: ["franz log verify /var/lib/franz", "franz log verify ./data --json"],
    options: {
      forceRead: flag({ name: "force-read", help: "Read also while a node holds the directory. A batch that it is writing may look torn." }),
      json
    },
    argument: directory,
    run: (words, path) =>
      Effect.gen(function* () {
        const { clear, progress } = progressLine()
        let logs = 0
        let wrong = 0
        yield* tool
          .verify({
            directory: path,
            forceRead: words.forceRead,
            progress,
            note: (sentence) => {
              clear()
              printError(sentence)
            },
            each: (report) => {
              clear()
              logs++
              if (report.findings.length > 0) wrong++
              if (words.json) printJson({ ...report, ok: report.findings.length === 0 })
              else for (const line of verifyLines(report)) print(line)
            }
          })
          .pipe(Effect.ensuring(Effect.sync(clear)))
        if (wrong > 0)
          return yield* new CliFailure({
            exit: "data",
            message: `${wrong} of ${logs} logs in ${path} ${wrong === 1 ? "has" : "have"} findings.`,
            hint: `franz log repair ${path}  prints what it would do; it changes nothing without --execute.`
          })
        if (!words.json) print(logs === 1 ? "1 log is right." : `${logs} logs are right.`)
      })
  })

const repairCommand = (tool: LogTool): CliCommand<never> =>
  command({
    path: "log repair",
    summary: "print how to repair damaged logs; repair them with --execute",
    about: [
      "Truncates a log where it is damaged, and rebuilds indexes. The truncated bytes are kept beside the file, as NAME.cut-TIME; no byte is deleted.",
      "A truncation loses the messages after it: restore a backup of the file instead, if there is one. The node must be stopped.",
      "Exit code 0: no findings, or all repaired. 65: findings that --execute would repair, or that are left after it."
    ],
    example: ["franz log repair /var/lib/franz", "franz log repair /var/lib/franz --execute"],
    options: { execute: flag({ name: "execute", help: "Repair the logs. Without it no file is changed." }), json },
    argument: directory,
    run: (words, path) =>
      Effect.gen(function* () {
        const { clear, progress } = progressLine()
        let open = 0
        yield* tool
          .repair({
            directory: path,
            execute: words.execute,
            progress,
            each: (report) => {
              clear()
              const isOpen = report.refusal !== undefined || (report.kept === undefined ? report.findings.length > 0 : (report.remaining?.length ?? 0) > 0)
              if (isOpen) open++
              if (words.json) printJson(report)
              else for (const line of repairLines(report)) print(line)
            }
          })
          .pipe(Effect.ensuring(Effect.sync(clear)))
        if (open === 0) return
        return yield* new CliFailure(
          words.execute
            ? { exit: "data", message: `${open === 1 ? "One log" : `${open} logs`} in ${path} could not be repaired.` }
            : {
                exit: "data",
                message: `No file was changed. ${open === 1 ? "One log needs" : `${open} logs need`} repair.`,
                hint: `franz log repair ${path} --execute  repairs them. Look for a backup first: a truncation loses messages.`
              }
        )
      })
  })

const chunkCharacters = 65_536
const utf8 = new TextEncoder()

function* linesOf(pieces: Iterable<Dumped>, show: (piece: Dumped) => Iterable<string>, damaged: () => void): Generator<string> {
  for (const piece of pieces) {
    if (piece._tag === "Damage" || (piece._tag === "Batch" && piece.unreadable !== undefined)) damaged()
    for (const line of show(piece)) yield `${line}\n`
  }
}

/**
 * Writes lines by the chunk. Memory is bounded by one chunk, whatever the size of the file and the speed of the reader.
 */
const writeLines = (lines: Generator<string>): Effect.Effect<void, CliFailure> => {
  const chunk = Effect.try({
    try: () => {
      let text = ""
      while (text.length < chunkCharacters) {
        const { done, value } = lines.next()
        if (done === true) break
        text += value
      }
      return text
    },
    catch: (error) => new CliFailure({ exit: "disk", message: `The file could not be read further: ${error instanceof Error ? error.message : String(error)}` })
  })
  return Effect.flatMap(chunk, (text) => (text === "" ? Effect.void : Effect.zipRight(write(utf8.encode(text)), writeLines(lines))))
}

const dumpCommand = (tool: LogTool): CliCommand<never> =>
  command({
    path: "log dump",
    summary: "print a segment (.log) or an index (.index, .timeindex)",
    about: ["One line for each batch or entry. Exit code 65 where the file is damaged; the parts after the damage are printed, too."],
    example: ["franz log dump data/broker-0/…/00000000000000000000.log --records", "franz log dump 00000000000000000000.index --json"],
    options: {
      records: flag({ name: "records", help: "Print the messages, too: keys, values, headers. Long ones are shortened, but not with --json." }),
      json
    },
    argument: argument("FILE", "A .log, .index or .timeindex file, or a .cut file of a repair."),
    run: (words, file) =>
      Effect.scoped(
        Effect.gen(function* () {
          const pieces = yield* tool.dump(file, { records: words.records })
          let damaged = 0
          yield* writeLines(linesOf(pieces, words.json ? dumpJson : dumpLines, () => void damaged++))
          if (damaged > 0)
            return yield* new CliFailure({ exit: "data", message: `${file}: ${damaged === 1 ? "one place is" : `${damaged} places are`} damaged.` })
        })
      )
  })

export const logCommands = (tool: LogTool): ReadonlyArray<CliCommand<never>> => [verifyCommand(tool), dumpCommand(tool), repairCommand(tool)]
