import { Effect } from "effect"
import { diagnose } from "../../client/observability/diagnose.ts"
import { mapClientErrors } from "../client/failure.ts"
import { connection, jsonOption, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { print, printJson } from "../shell/screen.ts"
import { noArgument } from "../shell/spec.ts"

const marks = { ok: "ok      ", warning: "warning ", problem: "PROBLEM " } as const

/** `franz diagnose`: what is wrong between this machine and a cluster, in sentences. */
export const diagnoseCommand = command({
  path: "diagnose",
  summary: "say what is wrong between this machine and a cluster",
  about: ["Checks addresses, protocols, advertised addresses, the controller, partitions, versions and clocks. Changes nothing."],
  example: ["franz diagnose --leader kafka.example:9092"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    untilStopped(
      Effect.gen(function* () {
        const { findings, healthy } = yield* mapClientErrors(diagnose(yield* connection(words, "diagnose")))
        for (const finding of findings) {
          if (words.json) printJson(finding)
          else print(`${marks[finding.level]}${finding.about}: ${finding.sentence}`)
        }
        if (healthy) return
        const count = findings.filter(({ level }) => level === "problem").length
        yield* new CliFailure({ exit: "unavailable", message: `${count} of ${findings.length} checks found a problem.` })
      })
    )
})
