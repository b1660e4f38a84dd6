/**
 * `./franz bench [ROW|NAME…] [--rounds N] [--seconds S] [--warm S] [--tiny] [--ours | --beside PROGRAM] [--json FILE]`: our compiled broker beside real Apache Kafka in the same run, round by
 * round; with --beside, beside another build of ours, the path of its `franz`.
 * `./franz bench journal` measures the cluster's journal over files and etcd (bench-journal.ts).
 * Without Java or Maven (or with --ours) only ours is measured, and a line says so. Processor time is what to look at: other load on the machine hardly moves it.
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { brokersOf, kafkaAvailable } from "./bench/broker.ts"
import { clustersOf } from "./bench/cluster.ts"
import { machine } from "./bench/machine.ts"
import { markdown, resultOf } from "./bench/result.ts"
import { isMeant, rows } from "./bench/rows.ts"
import { measureRows } from "./bench/run.ts"

if (process.argv[2] === "journal") {
  await import("./bench-journal.ts")
  process.exit(0)
}
const words = process.argv.slice(2)
const takeOption = (name: string): string | undefined => {
  const at = words.indexOf(`--${name}`)
  return at < 0 ? undefined : words.splice(at, 2)[1]
}
const flag = (name: string): boolean => {
  const at = words.indexOf(`--${name}`)
  if (at >= 0) words.splice(at, 1)
  return at >= 0
}
const refuse = (message: string): never => {
  console.error(`franz bench: ${message}`)
  process.exit(2)
}
const number = (name: string, or: number): number => {
  const given = takeOption(name)
  const value = given === undefined ? or : Number(given)
  return value > 0 ? value : refuse(`--${name} takes a number over 0, not '${given}'.`)
}
const tiny = flag("tiny")
const ours = flag("ours")
const amount = { tiny, rounds: number("rounds", tiny ? 1 : 5), seconds: number("seconds", tiny ? 0.1 : 4), warmSeconds: number("warm", tiny ? 0.05 : 45) }
const beside = takeOption("beside")
if (beside !== undefined && !existsSync(beside)) refuse(`--beside takes the path of another build of franz; ${beside} does not exist.`)
const jsonFile = takeOption("json")
const unknown = words.find((word) => !rows.some((row) => isMeant(row, word)))
if (unknown !== undefined) refuse(`'${unknown}' is not known. Rows: ${rows.map(({ id, name }) => `${id} ${name}`).join(", ")}.`)
const wanted = rows.filter((row) => words.length === 0 || words.some((word) => isMeant(row, word)))

const root = join(import.meta.dir, "..")
const binary = join(root, "dist/franz")
const program = tiny || !existsSync(binary) ? [process.execPath, join(root, "src/programs/franz.ts")] : [binary]
if (!tiny && program.length > 1) console.log("dist/franz is not there (./franz build): measuring the program from its sources, which starts more slowly.")
const withKafka = !tiny && !ours && beside === undefined && kafkaAvailable()
if (!withKafka && beside === undefined && !tiny && !ours) console.log("Java or Maven is missing: Kafka is not measured beside us.")

const started = performance.now()
const minutes = () => ((performance.now() - started) / 60_000).toFixed(1)
const say = (line: string) => console.error(`[${minutes()} min] ${line}`)
const peer = beside !== undefined ? { program: beside } : withKafka ? "kafka" : undefined
const samples = await measureRows(wanted, { ...brokersOf(program, peer), ...clustersOf(program, peer) }, amount, say)
const results = wanted.flatMap(({ figures, id }) => figures.map((figure) => resultOf(figure, samples.get(id) ?? [])))

const measured = results.filter(({ ours: value }) => !Number.isNaN(value))
console.log(
  `\n${markdown(measured).join("\n")}\n\n${amount.rounds} rounds of ${amount.seconds} s, medians; "better by" is the median of the rounds' ratios. ${minutes()} minutes.`
)
const missed = measured.filter(({ meetsMust }) => meetsMust === false)
if (!tiny) console.log(missed.length === 0 ? "Every must that could be judged is met." : `Short of their must: ${missed.map(({ id }) => id).join(", ")}.`)
if (jsonFile !== undefined)
  writeFileSync(
    jsonFile,
    `${JSON.stringify({ command: `./franz bench ${process.argv.slice(2).join(" ")}`, machine: machine(), ...amount, results: measured }, null, 2)}\n`
  )
