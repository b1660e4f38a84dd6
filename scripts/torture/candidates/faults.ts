import { until } from "../site.ts"
import type { CandidateCluster } from "./cluster.ts"
import type { CandidateFaultName } from "./options.ts"

/** What a fault did. */
interface Injected {
  readonly what: string
  /** When another candidate had won, ms since 1970; undefined where the leader need not change. */
  readonly ledAtMs: number | undefined
}

interface FaultSite {
  readonly cluster: CandidateCluster
  /** How long etcd has no majority, ms. */
  readonly lastingMs: number
  /** How long the stopped leader stays stopped after its successor has won, ms. */
  readonly stoppedMs: number
}

type Fault = (site: FaultSite) => Promise<Injected>

const pollMs = 20
const leaderOf = async ({ cluster }: FaultSite): Promise<number> => {
  let found: number | undefined
  await until("a candidate leads", async () => (found = await cluster.leader()) !== undefined)
  return found ?? -1
}
/** Waits until another candidate has won. */
const untilAnother = async ({ cluster }: FaultSite, before: number): Promise<number> => {
  for (;;) {
    const now = await cluster.leader()
    if (now !== undefined && now !== before) return Date.now()
    await Bun.sleep(pollMs)
  }
}

const kill: Fault = async (site) => {
  const id = await leaderOf(site)
  await site.cluster.kill(id)
  const ledAtMs = await untilAnother(site, id)
  await site.cluster.again(id)
  return { what: `candidate ${id}`, ledAtMs }
}

const stop: Fault = async (site) => {
  const { cluster } = site
  const id = await leaderOf(site)
  const before = cluster.count(id, /stands by/)
  cluster.signal(id, "SIGSTOP")
  const ledAtMs = await untilAnother(site, id)
  await Bun.sleep(site.stoppedMs)
  cluster.signal(id, "SIGCONT")
  await until(`candidate ${id} stands by`, () => cluster.count(id, /stands by/) > before)
  return { what: `candidate ${id}, stopped past its lease`, ledAtMs }
}

const etcd: Fault = async ({ cluster }) => {
  const member = await cluster.etcd.leader()
  await cluster.etcd.signal(member, "SIGKILL")
  await until("the other members of etcd elect a leader", () => cluster.etcd.answers((member + 1) % cluster.etcd.endpoints.length))
  cluster.etcd.again(member)
  await until(`member ${member} of etcd answers`, () => cluster.etcd.answers(member))
  return { what: `member ${member} of etcd, its leader`, ledAtMs: undefined }
}

const quorum: Fault = async ({ cluster, lastingMs }) => {
  const leading = await cluster.etcd.leader()
  const members = [leading, (leading + 1) % cluster.etcd.endpoints.length]
  for (const member of members) await cluster.etcd.signal(member, "SIGKILL")
  await Bun.sleep(lastingMs)
  for (const member of members) cluster.etcd.again(member)
  await until("etcd has a majority", () => cluster.etcd.answers(leading))
  return { what: `members ${members.join(" and ")} of etcd for ${lastingMs / 1000} s`, ledAtMs: undefined }
}

export const candidateFaults: Readonly<Record<CandidateFaultName, Fault>> = { kill, stop, etcd, quorum }
