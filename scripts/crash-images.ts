/**
 * `./franz simulate crash-images [--count N] [--seed N] [--workload NAME]`: builds the disks that a power cut may leave of what the log and the journal do, and opens
 * each with the real recovery. Says how many there were and what each failure was; exits 1 if one failed, 64 for options it does not know.
 */
import { runCrashImages } from "../test/adapters/log/crash-images/run.ts"
import { workloads } from "../test/adapters/log/crash-images/workloads.ts"

const usage = `usage: ./franz simulate crash-images [--count N] [--seed N] [--workload ${workloads.map(({ name }) => name).join("|")}]`
const countMax = 1_000_000_000

interface ImageOptions {
  readonly count: number
  readonly seed: number
  readonly only?: ReadonlyArray<string>
}

/** The options, or what is wrong with them. */
const parse = (args: ReadonlyArray<string>): ImageOptions | string => {
  let wanted: ImageOptions = { count: 20_000, seed: 1 }
  for (let i = 0; i < args.length; i += 2) {
    const [name = "", value = ""] = args.slice(i, i + 2)
    const number = /^\d{1,10}$/.test(value) ? Number(value) : undefined
    if (name === "--workload") {
      if (!workloads.some((one) => one.name === value)) return `There is no workload '${value}'.`
      wanted = { ...wanted, only: [...(wanted.only ?? []), value] }
    } else if (name !== "--count" && name !== "--seed") return `There is no option '${name}'.`
    else if (number === undefined || number > countMax || (name === "--count" && number === 0)) return `${name} takes a number from 1 to ${countMax}.`
    else wanted = name === "--count" ? { ...wanted, count: number } : { ...wanted, seed: number }
  }
  return wanted
}

/** Runs the command and answers its exit code. */
export const crashImages = async (args: ReadonlyArray<string>, print: (line: string) => void = console.log): Promise<number> => {
  const wanted = parse(args)
  if (typeof wanted === "string") {
    print(`${wanted}\n${usage}`)
    return 64
  }
  const report = await runCrashImages(wanted)
  for (const { at, problem, seed, workload } of report.failures) print(`FAIL ${workload}, seed ${seed}, after ${at} changes: ${problem}`)
  for (const [name, images] of report.byWorkload) print(`${name}: ${images} images`)
  print(`${report.images} crash images of ${report.runs} runs (${report.again} after a second cut, in recovery), ${report.failures.length} failures`)
  return report.failures.length > 0 ? 1 : 0
}

if (import.meta.main) process.exit(await crashImages(process.argv.slice(2)))
