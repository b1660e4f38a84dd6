import { afterAll, beforeAll, describe } from "bun:test"
import { Effect } from "effect"
import { gateway } from "../../adapters/journal/etcd/gateway.ts"
import { MemoryDisk } from "../../adapters/log/memory/memory-disk.ts"
import { process as journalOf, processLayer, realLeaseMs, realRequestTimeoutMs, rivals } from "../adapters/journal/etcd/support.ts"
import { type JournalWorld, journalContract } from "../src/ports/journal.contract.ts"
import { EtcdCluster } from "./support/etcd.ts"
import { available, isRequired } from "./support/peers.ts"
import { until } from "./support/process.ts"

const isThere = available("etcd")
let etcd: EtcdCluster
let worlds = 0

/** Ends the lease of the leader, as an operator or an etcd that lost its time does. */
const revokeLeader = (prefix: string): Effect.Effect<void> =>
  Effect.promise(() =>
    until("the lease of the leader is ended", async () => {
      const key = Buffer.from(`${prefix}/__cluster_metadata/state/leader`).toString("base64")
      const found = (await etcd.call("kv/range", { key })) as { readonly kvs?: ReadonlyArray<{ readonly lease: string }> } | undefined
      if (found === undefined) return false
      const lease = found.kvs?.[0]?.lease
      // A call whose response came too late has ended the lease: there is no key then.
      return lease === undefined || (await etcd.call("lease/revoke", { ID: lease })) !== undefined
    })
  )

const etcdWorld = (): JournalWorld => {
  const prefix = `/franz-${++worlds}`
  const client = () => gateway({ endpoints: etcd.endpoints, requestTimeoutMs: realRequestTimeoutMs })
  return {
    layer: processLayer(client(), prefix, new MemoryDisk(), realLeaseMs),
    end: () => undefined,
    isShared: true,
    takeOver: rivals(revokeLeader(prefix), journalOf(client(), prefix, realLeaseMs)),
    rivalAppends: Number(process.env.FRANZ_JOURNAL_APPENDS ?? 1000)
  }
}

describe.skipIf(!isThere && !isRequired)("three members of etcd", () => {
  beforeAll(async () => {
    etcd = await EtcdCluster.start(3)
  }, 120_000)
  afterAll(() => etcd.stop())
  journalContract("over etcd", etcdWorld)
})
