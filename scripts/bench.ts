/**
 * `./franz bench [ROW…] [--rounds N] [--seconds S] [--warm S] [--tiny] [--json FILE]`: our compiled broker beside real Apache Kafka in the same run, round by round.
 * Without Java or Maven only ours is measured, and a line says so. Processor time is what to look at: other load on the machine hardly moves it.
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Broker, kafkaAvailable, startKafka, startOurs } from "./bench/broker.ts"
import { createTopic, produceLoad } from "./bench/driver.ts"
import { markdown, type Result, result } from "./bench/result.ts"
import { benchPartitions, benchTopic, idleMemory, idleRow, loadRows, startCpuRow, startRow } from "./bench/rows.ts"

const words = process.argv.slice(2)
const option = (name: string, or: number): number => {
  const at = words.indexOf(`--${name}`)
  return at < 0 ? or : Number(words.splice(at, 2)[1])
}
const flag = (name: string): boolean => {
  const at = words.indexOf(`--${name}`)
  if (at >= 0) words.splice(at, 1)
  return at >= 0
}
const tiny = flag("tiny")
const rounds = option("rounds", tiny ? 1 : 5)
const seconds = option("seconds", tiny ? 0.2 : 4)
const warmSeconds = option("warm", tiny ? 0.2 : 45)
const jsonAt = words.indexOf("--json")
const jsonFile = jsonAt < 0 ? undefined : words.splice(jsonAt, 2)[1]
const wanted = (id: string) => words.length === 0 || words.includes(id) || words.includes(id.replace(/[a-z]$/, ""))

const root = join(import.meta.dir, "..")
const binary = join(root, "dist/franz")
const program = tiny || !existsSync(binary) ? [process.execPath, join(root, "src/programs/franz.ts")] : [binary]
if (!tiny && program.length > 1) console.log("dist/franz is not there (./franz build): measuring the program from its sources, which starts more slowly.")
const withKafka = !tiny && kafkaAvailable()
if (!withKafka && !tiny) console.log("Java or Maven is missing: Kafka is not measured beside us.")

const startAll = async (): Promise<ReadonlyArray<Broker>> => [await startOurs(program), ...(withKafka ? [await startKafka()] : [])]
const of = (name: Broker["name"], values: ReadonlyArray<{ readonly name: string; readonly value: number }>) =>
  values.filter((one) => one.name === name).map(({ value }) => value)
const results: Array<Result> = []
const add = (row: Parameters<typeof result>[0], values: ReadonlyArray<{ readonly name: string; readonly value: number }>) => {
  const one = result(row, of("ours", values), of("kafka", values))
  results.push(one)
  console.log(markdown([one]).at(-1))
}

if (wanted("8") || wanted("9")) {
  const starts = []
  for (let round = 0; round < rounds; round++) {
    for (const broker of await startAll()) {
      if (!tiny) await Bun.sleep(5000)
      starts.push({ name: broker.name, start: broker.startSeconds, cpu: broker.startCpuSeconds, rss: idleMemory(broker) })
      await broker.stop()
    }
  }
  if (wanted("8"))
    add(
      startRow,
      starts.map(({ name, start }) => ({ name, value: start }))
    )
  if (wanted("8"))
    add(
      startCpuRow,
      starts.map(({ cpu, name }) => ({ name, value: cpu }))
    )
  if (wanted("9"))
    add(
      idleRow,
      starts.map(({ name, rss }) => ({ name, value: rss }))
    )
}

const rows = loadRows.filter(({ id }) => wanted(id))
if (rows.length > 0) {
  const brokers = await startAll()
  for (const broker of brokers) {
    await createTopic(broker.port, benchTopic, benchPartitions)
    for (const [records, valueBytes] of [
      [1000, 100],
      [1, 100]
    ] as const) {
      await produceLoad(broker.port, {
        topic: benchTopic,
        partitions: benchPartitions,
        records,
        valueBytes,
        acks: 1,
        connections: 2,
        inFlight: 5,
        seconds: warmSeconds / 2
      })
    }
  }
  for (const row of rows) {
    const values = []
    for (let round = 0; round < rounds; round++) for (const broker of brokers) values.push({ name: broker.name, value: await row.measure(broker, seconds) })
    add(row, values)
  }
  for (const broker of brokers) await broker.stop()
}

console.log(`\n${markdown(results).join("\n")}\n\n${rounds} rounds of ${seconds} s, medians; "better by" is the median of the rounds' ratios.`)
if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify({ rounds, seconds, results }, null, 2)}\n`)
