import { Effect } from "effect"
import { type EtcdClient, EtcdFault, type Txn } from "../../../../adapters/journal/etcd/client.ts"
import type { Mistake } from "./scenarios.ts"

const isLeaderKey = (key: string): boolean => key.endsWith("/state/leader")
const puts = ({ then }: Txn): ReadonlyArray<string> => then.flatMap((operation) => ("put" in operation ? [operation.put] : []))
const isSettling = (txn: Txn): boolean => puts(txn).length === 1 && puts(txn)[0]?.endsWith("/state/head") === true && txn.then.length === 1

const changed =
  (txn: (client: EtcdClient, txn: Txn) => ReturnType<EtcdClient["txn"]>): Mistake =>
  (client) => ({ ...client, txn: (asked) => txn(client, asked), range: client.range, watch: client.watch })

/** Mistakes of an adapter, each as a change of what it asks etcd. */
export const mutants: Readonly<Record<string, Mistake>> = {
  "append without fence": changed((client, txn) =>
    client.txn(puts(txn).some((key) => key.includes("/e/")) ? { ...txn, compares: txn.compares.filter(({ key }) => !isLeaderKey(key)) } : txn)
  ),
  "append guarded by the create revision": changed((client, txn) =>
    Effect.flatMap(client.range({ key: txn.compares.find(({ key, modRevision }) => isLeaderKey(key) && modRevision > 0)?.key ?? "/none" }), ([leader]) =>
      // A key that is put over has the same create revision, and another mod revision.
      client.txn({
        ...txn,
        compares: txn.compares.map((each) => (leader !== undefined && each.key === leader.key ? { ...each, modRevision: leader.modRevision } : each))
      })
    )
  ),
  "blind retry": changed((client, txn) =>
    Effect.catchAll(client.txn(txn), (fault) =>
      fault.kind === "unknown" ? Effect.map(client.txn(txn), (second) => ({ ...second, ranges: second.ranges.slice(0, 1) })) : Effect.fail(fault)
    )
  ),
  "unknown taken for not done": changed((client, txn) =>
    Effect.mapError(client.txn(txn), (fault) => (fault.kind === "unknown" ? new EtcdFault({ kind: "refused", message: fault.message }) : fault))
  ),
  "settle by a read": changed((client, txn) => {
    if (!isSettling(txn)) return client.txn(txn)
    const read = { compares: txn.compares, then: [], otherwise: txn.otherwise ?? [] }
    return Effect.map(client.txn(read), (found) => (found.succeeded ? { ...found, revision: txn.compares.at(-1)?.modRevision ?? 0 } : found))
  }),
  "parts without a guard": changed((client, txn) => client.txn(puts(txn).some((key) => key.includes("/p/")) ? { ...txn, compares: [] } : txn)),
  "spare snapshot removed": changed((client, txn) =>
    Effect.tap(client.txn(txn), () => {
      const named = puts(txn).some((key) => key.endsWith("/state/snapshot"))
      const [value] = txn.then.flatMap((operation) => ("put" in operation ? [operation.value] : []))
      const { previous } = named ? (JSON.parse(new TextDecoder().decode(value)) as { readonly previous?: { readonly save: string } }) : {}
      if (previous === undefined) return Effect.void
      const parts = `${(puts(txn)[0] ?? "").replace("state/snapshot", `s/${previous.save}`)}/`
      return client.txn({ compares: [], then: [{ remove: { key: parts, end: `${parts.slice(0, -1)}0` } }] })
    })
  )
}
