import type { Nodes } from "../nodes.ts"
import { until } from "../site.ts"
import { coordinatorOf, groupState } from "./coordinator-calls.ts"
import type { CoordinatorFaultName } from "./options.ts"

/** What faults see of the cluster. All groups are in one stream, and have one coordinator. */
export interface CoordinatorSite {
  readonly nodes: Nodes
  readonly groups: ReadonlyArray<string>
  /** Members of each group. */
  readonly members: number
  readonly complain: (complaint: string) => void
}

/** Injects a fault and ends it: afterwards every broker runs. Returns the broker. */
type Fault = (site: CoordinatorSite, coordinated: () => void) => Promise<number>

/** Waits until a broker coordinates the groups, with all their members; returns it. */
export const coordinating = async ({ complain, groups, members, nodes }: CoordinatorSite, isNot = -1): Promise<number> => {
  let found = -1
  await until(`a broker coordinates ${groups.join(" and ")}`, async () => {
    for (const id of nodes.running) {
      const coordinator = await coordinatorOf(nodes.broker(id).port, groups[0] ?? "")
      if (coordinator === undefined || coordinator === isNot || !nodes.running.includes(coordinator)) continue
      const states = await Promise.all(groups.map((group) => groupState(nodes.broker(coordinator).port, group)))
      if (states.some((state) => state === undefined)) continue
      for (const [nth, found] of states.entries())
        if (found?.state !== "Stable" || found.members !== members)
          complain(`G: broker ${coordinator} coordinates ${groups[nth]}, which is ${found?.state} with ${found?.members} members of ${members}`)
      found = coordinator
      return true
    }
    return false
  })
  return found
}

const kill: Fault = async (site, coordinated) => {
  const id = await coordinating(site)
  await site.nodes.end(id, "SIGKILL")
  await coordinating(site, id)
  coordinated()
  await site.nodes.startBroker(id)
  return id
}

const bounce: Fault = async (site, coordinated) => {
  const id = await coordinating(site)
  await site.nodes.end(id, "SIGKILL")
  await site.nodes.startBroker(id)
  await coordinating(site)
  coordinated()
  return id
}

const term: Fault = async (site, coordinated) => {
  const id = await coordinating(site)
  await site.nodes.end(id, "SIGTERM")
  await coordinating(site)
  coordinated()
  await site.nodes.startBroker(id)
  return id
}

export const coordinatorFaults: Readonly<Record<CoordinatorFaultName, Fault>> = { kill, bounce, term }
