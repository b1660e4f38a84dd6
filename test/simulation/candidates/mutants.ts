import { Effect } from "effect"
import type { EtcdClient, Txn } from "../../../adapters/journal/etcd/client.ts"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import type { Journal } from "../../../src/ports/journal.ts"
import { mutants as clientMutants } from "../../adapters/journal/etcd/mutants.ts"

/** A mistake that is planted into the candidates of a run. */
export interface CandidateMutant {
  readonly name: string
  /** What goes wrong, in a sentence. */
  readonly mistake: string
  /** A seed that has found it, with so many seconds of faults. */
  readonly likelySeed: number
  readonly likelySeconds: number
  readonly client?: ((client: EtcdClient) => EtcdClient) | undefined
  readonly journal?: (journal: Journal["Type"]) => Journal["Type"]
}
export const noCandidateMutant: CandidateMutant = { name: "none", mistake: "nothing", likelySeed: 1, likelySeconds: 20 }

const changed =
  (txn: (client: EtcdClient, txn: Txn) => ReturnType<EtcdClient["txn"]>): ((client: EtcdClient) => EtcdClient) =>
  (client) => ({ ...client, txn: (asked) => txn(client, asked) })
const isHead = (key: string): boolean => key.endsWith("/state/head")
const isEntry = (key: string): boolean => key.includes("/e/")

/** The journal with some of its calls replaced. */
const withCalls = (journal: Journal["Type"], calls: Partial<Journal["Type"]>): Journal["Type"] => ({
  ...journal,
  ...calls
})

const entriesBehind = 3
const keyDigits = 16

export const candidateMutants: ReadonlyArray<CandidateMutant> = [
  {
    name: "blind-retry",
    mistake: "a transaction with an unknown result is sent again, and the answer to the second is taken for that to the first",
    likelySeed: 1,
    likelySeconds: 20,
    client: clientMutants["blind retry"]
  },
  {
    name: "append-without-fence",
    mistake: "an append asks for the head's revision alone, and not for the leader's",
    likelySeed: 16,
    likelySeconds: 20,
    client: clientMutants["append without fence"]
  },
  {
    name: "settle-by-read",
    mistake: "an append with an unknown result is looked for by a read",
    likelySeed: 16,
    likelySeconds: 20,
    client: clientMutants["settle by a read"]
  },
  {
    name: "unknown-is-not-done",
    mistake: "an append with an unknown result is taken for one that did not happen",
    likelySeed: 1,
    likelySeconds: 20,
    client: clientMutants["unknown taken for not done"]
  },
  {
    name: "answers-past-the-lease",
    mistake: "a leader answers heartbeats past its lease: it looks at no clock before an answer, and no timer ends its role",
    likelySeed: 3,
    likelySeconds: 20,
    journal: (journal) =>
      withCalls(journal, {
        campaign: (stream, candidate) =>
          Effect.map(journal.campaign(stream, candidate), (taken) => ({
            ...taken,
            isHeld: () => true,
            lost: Effect.catchAll(taken.lost, (loss) => (loss._tag === "LeaseOver" ? Effect.never : Effect.fail(loss)))
          }))
      })
  },
  {
    name: "standby-ahead-of-head",
    mistake: "an entry is put before the head is moved past it, so that a standby folds what may never happen",
    likelySeed: 3,
    likelySeconds: 8,
    client: changed((client, txn) => {
      const isAppend = txn.then.some((operation) => "put" in operation && isEntry(operation.put))
      if (!isAppend || txn.then.length < 2) return client.txn(txn)
      const entries = txn.then.filter((operation) => !("put" in operation && isHead(operation.put)))
      return Effect.flatMap(client.txn({ ...txn, then: entries }), (put) => (put.succeeded ? client.txn(txn) : Effect.succeed(put)))
    })
  },
  {
    name: "trimmed-early",
    mistake: "a stream is trimmed to its end, and its snapshot is older",
    likelySeed: 4,
    likelySeconds: 20,
    client: changed((client, txn) =>
      client.txn({
        ...txn,
        then: txn.then.map((operation) =>
          "remove" in operation && operation.remove.end !== undefined && isEntry(operation.remove.end)
            ? { remove: { key: operation.remove.key, end: `${operation.remove.end.slice(0, -keyDigits)}${"f".repeat(keyDigits)}` } }
            : operation
        )
      })
    )
  },
  {
    name: "coordinator-opens-early",
    mistake: "the coordinator of groups serves a stream before it has read it to its end",
    likelySeed: 4,
    likelySeconds: 15,
    journal: (journal) =>
      withCalls(journal, {
        campaign: (stream, candidate) =>
          Effect.map(journal.campaign(stream, candidate), (taken) =>
            stream.startsWith(groupMetadataTopic) ? { ...taken, end: Math.max(taken.start, taken.end - entriesBehind) } : taken
          )
      })
  }
]
