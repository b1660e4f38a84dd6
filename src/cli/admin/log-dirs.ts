import { Effect } from "effect"
import type { LogDirDescription } from "../../client/admin/log-dirs.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { print, printJson, table } from "../shell/screen.ts"
import { flag, noArgument } from "../shell/spec.ts"

const mebibyte = 1_048_576
const mib = (bytes: number | undefined): string | number => (bytes === undefined ? "?" : Math.round(bytes / mebibyte))
const sizeOf = ({ logs }: LogDirDescription): number => logs.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)

export const clusterDirs = command({
  path: "cluster dirs",
  summary: "describe the data directories of the brokers: logs, sizes, free space",
  about: [
    "As Kafka's kafka-log-dirs. A directory whose disk has failed is offline.",
    "While a log is moved to another directory (kafka-reassign-partitions with log_dirs), its copy is listed there."
  ],
  example: ["franz cluster dirs", "franz cluster dirs --logs", "franz cluster dirs --json"],
  options: { ...leaderOption, ...jsonOption, logs: flag({ name: "logs", help: "Print each partition with its bytes." }) },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.map(admin.describeLogDirs, (directories) => {
        if (words.json) {
          for (const directory of directories) printJson({ ...directory, sizeInBytes: sizeOf(directory) })
          return
        }
        const rows = directories.map((each) => [
          each.broker,
          each.path,
          each.error === "NONE" ? "online" : "offline",
          each.logs.filter(({ isFuture }) => !isFuture).length,
          mib(sizeOf(each)),
          mib(each.usableBytes),
          mib(each.totalBytes)
        ])
        for (const line of table(["BROKER", "DIRECTORY", "STATE", "LOGS", "MIB", "FREE MIB", "OF MIB"], rows)) print(line)
        if (!words.logs) return
        print()
        const logs = directories.flatMap(({ broker, logs, path }) =>
          logs.map((log) => [broker, path, `${log.topic}-${log.partition}`, log.sizeInBytes, log.isFuture ? `copy, ${log.offsetLag} behind` : "log"])
        )
        for (const line of table(["BROKER", "DIRECTORY", "PARTITION", "BYTES", "IS"], logs)) print(line)
      })
    )
})
