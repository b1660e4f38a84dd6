import type { ClusterScenario } from "./cluster-side.ts"
import * as lost from "./lost.ts"
import * as moved from "./moved.ts"
import * as replicated from "./replicated.ts"

/** All scenarios with three nodes, by name; each leaves the three running and in sync. */
export const clusterScenarios: Readonly<Record<string, ClusterScenario>> = {
  "Three nodes: Metadata": replicated.described,
  "Three nodes: CreateTopics": replicated.created,
  "Three nodes: Produce": replicated.producing,
  "Three nodes: Fetch": replicated.reading,
  "Three nodes: strangers": replicated.strangers,
  "Three nodes: DeleteRecords": replicated.deleting,
  "Three nodes: DescribeLogDirs": replicated.directories,
  "Three nodes: epochs": replicated.epochs,
  "Three nodes: moves": moved.moves,
  "Three nodes: slow moves": moved.slowMoves,
  "Three nodes: ElectLeaders": moved.elections,
  "Three nodes: brokers' requests": lost.unregistered,
  "Three nodes: stopped": lost.lost
}
