import { clientRow } from "./row/client.ts"
import { fetchRow } from "./row/fetch.ts"
import { growthRow } from "./row/growth.ts"
import { latencyRows } from "./row/latency.ts"
import { librdkafkaRow } from "./row/librdkafka.ts"
import { memoryRow } from "./row/memory.ts"
import { produceRows } from "./row/produce.ts"
import { recoveryRow } from "./row/recovery.ts"
import { replayRow } from "./row/replay.ts"
import { replicatedRow } from "./row/replicated.ts"
import { startRow } from "./row/start.ts"
import type { Row } from "./row.ts"

/** Everything that `./franz bench` measures, in the order in which it does. Memory after load comes when the load is over. */
export const rows: ReadonlyArray<Row> = [
  startRow,
  ...produceRows,
  librdkafkaRow,
  fetchRow,
  ...latencyRows,
  memoryRow,
  clientRow,
  growthRow,
  replayRow,
  recoveryRow,
  replicatedRow
]

/** Whether a word of the command line means the row: its number, its name, or the id of one of its figures. */
export const isMeant = (row: Row, word: string): boolean => {
  const wanted = word.toLowerCase()
  return row.id === wanted || row.name === wanted || row.figures.some(({ id }) => id === wanted || id.replace(/\D.*$/, "") === wanted)
}
