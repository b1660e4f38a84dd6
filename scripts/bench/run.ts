import type { Broker, Brokers } from "./broker.ts"
import type { Clusters } from "./cluster.ts"
import { produceLoad } from "./produce-load.ts"
import { digits } from "./result.ts"
import type { Amount, LoadRow, Row, Sample } from "./row.ts"
import { createTopic, deleteTopic } from "./topic.ts"

type Say = (line: string) => void

/** Kafka's cost of a record falls threefold in its first minute: both get the same load before the clock runs. */
const warm = async (broker: Broker, seconds: number): Promise<void> => {
  const topic = { name: "warming", partitions: 4 }
  await createTopic(broker.port, topic)
  for (const records of [1000, 1])
    await produceLoad(broker.port, {
      topic: topic.name,
      partitions: topic.partitions,
      records,
      valueBytes: 100,
      acks: 1,
      connections: 2,
      inFlight: 5,
      seconds: seconds / 2
    })
  await deleteTopic(broker.port, topic.name)
}

const shown = ({ side, values }: Sample): string =>
  `${side}: ${Object.entries(values)
    .map(([id, value]) => `${id} ${digits(value)}`)
    .join(", ")}`

/** One row at the brokers that run, in turns. */
const measureLoad = async (row: LoadRow, running: ReadonlyArray<Broker>, amount: Amount, keep: (sample: Sample) => void): Promise<void> => {
  for (const broker of running) {
    for (const topic of row.topics(broker)) await createTopic(broker.port, topic)
    await row.prepare?.(broker, amount)
  }
  for (let round = 0; round < amount.rounds; round++) for (const broker of running) keep({ side: broker.side, values: await row.measure(broker, amount) })
  for (const broker of running) for (const { name } of row.topics(broker)) await deleteTopic(broker.port, name)
}

/** All samples of the rows, by the row's id. What a machine cannot measure is said and left out. */
export const measureRows = async (
  rows: ReadonlyArray<Row>,
  brokers: Brokers & Clusters,
  amount: Amount,
  say: Say
): Promise<ReadonlyMap<string, ReadonlyArray<Sample>>> => {
  const samples = new Map<string, Array<Sample>>()
  let running: ReadonlyArray<Broker> | undefined
  const start = async (): Promise<ReadonlyArray<Broker>> => {
    const started: Array<Broker> = []
    for (const side of brokers.sides) started.push(await brokers.start(side))
    say(`warming for ${amount.warmSeconds} s each`)
    for (const broker of started) await warm(broker, amount.warmSeconds)
    return started
  }
  const stop = async () => {
    for (const broker of running ?? []) await broker.stop()
    running = undefined
  }
  for (const row of rows) {
    const lacks = row.lacks?.()
    if (lacks !== undefined) {
      say(`row ${row.id} (${row.name}) is not measured: ${lacks}.`)
      continue
    }
    say(`row ${row.id} (${row.name})`)
    const list: Array<Sample> = []
    samples.set(row.id, list)
    const keep = (sample: Sample) => {
      list.push(sample)
      say(`  ${shown(sample)}`)
    }
    if (row.kind === "own") {
      // Brokers that stand about would be in its way.
      await stop()
      await row.run(brokers, amount, keep)
    } else {
      running ??= await start()
      await measureLoad(row, running, amount, keep)
    }
  }
  await stop()
  return samples
}
