import type { Chance } from "../../test/simulation/chance.ts"
import type { ClientKind } from "./clients.ts"
import type { Nodes } from "./nodes.ts"
import type { Observed } from "./observed.ts"
import { type PartitionState, topicState } from "./topic-state.ts"

/** How long a cluster without faults may take to have every replica in sync and every client served, ms. */
const recoveryWithinMs = 180_000

/** What faults see of the cluster. */
export interface Site {
  readonly nodes: Nodes
  readonly topic: string
  readonly topicId: string
  readonly partitions: number
  readonly clients: ReadonlyArray<ClientKind>
  readonly observed: Observed
  readonly chance: Chance
  readonly lastingMs: number
  /** Notes a moment of the fault that is under way, such as "serves again". */
  readonly mark: (step: string) => void
  readonly say: (line: string) => void
  readonly complain: (complaint: string) => void
}

/** What the looks at the cluster need: the topic, and the port of a node that answers Metadata of it. */
export interface Watched extends Pick<Site, "observed" | "topic" | "partitions"> {
  readonly nodes: { readonly leaderPort: number }
}

/** A state that had to come about, and did not in time. */
export class NotInTime extends Error {}

/** Repeats the call until it is true. Throws NotInTime. */
export const until = async (what: string, ask: () => boolean | Promise<boolean>, withinMs = recoveryWithinMs): Promise<void> => {
  for (const end = performance.now() + withinMs; !(await ask()); ) {
    if (performance.now() > end) throw new NotInTime(`${what}: not within ${withinMs / 1000} s`)
    await Bun.sleep(50)
  }
}

/** The leader serves all of the time: no fault concerns it. */
export const stateOf = ({ nodes, topic }: Watched): Promise<ReadonlyArray<PartitionState>> => topicState(nodes.leaderPort, topic)

const shown = (state: ReadonlyArray<PartitionState>): string =>
  state.map(({ inSync, leader, partition }) => `${partition}: leader ${leader}, in sync ${inSync.join(",")}`).join("; ")

/** Repeats the look at the partitions until it is true. Throws NotInTime with their last state. */
export const untilState = async (site: Watched, what: string, isSo: (state: ReadonlyArray<PartitionState>) => boolean): Promise<void> => {
  let last: ReadonlyArray<PartitionState> = []
  try {
    await until(what, async () => isSo((last = await stateOf(site))))
  } catch (cause) {
    if (cause instanceof NotInTime) throw new NotInTime(`${cause.message}; ${shown(last)}`)
    throw cause
  }
}

/** Waits until each client has an acknowledgement in each partition after `ms`. */
export const untilAcknowledged = (site: Watched & Pick<Site, "clients">, ms: number): Promise<void> =>
  until("every client has an acknowledgement in every partition", () => site.observed.acknowledgements.allSince(ms, site.clients, site.partitions))

/** Waits until every replica is in sync. */
export const untilWhole = (site: Watched): Promise<void> =>
  untilState(
    site,
    "every replica is in sync",
    (state) => state.length === site.partitions && state.every(({ inSync, leader, replicas }) => leader >= 0 && inSync.length === replicas.length)
  )
