import { Effect, Either } from "effect"
import type { KeyValue } from "../../../adapters/journal/etcd/client.ts"
import { headerOf } from "../../../adapters/journal/etcd/entry-value.ts"
import { batchAt } from "../../../adapters/journal/etcd/stream-access.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { readableBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import type { CandidateCluster } from "./cluster.ts"

/** An event of the journal, with the epoch and the revision of etcd under which it was appended. */
export interface JournalEntry {
  readonly index: number
  readonly epoch: number
  readonly revision: number
  readonly type: string
  readonly event: Readonly<Record<string, unknown>>
}

const pageKeys = 500
const text = new TextDecoder()

const entriesOf = ({ modRevision, value }: KeyValue, batchBytes: Uint8Array): ReadonlyArray<JournalEntry> => {
  const header = headerOf(value)
  const epoch = header._tag === "Some" ? header.value.epoch : -1
  return Either.getOrThrow(readableBatches(batchBytes)).flatMap((batch) => {
    const wrong = verify(batch, crc32c)
    if (wrong !== undefined) throw new Error(`the journal is damaged at ${batch.baseOffset}: ${wrong.message}`)
    return Either.getOrThrow(decodeRecords(batch, batch.records)).map((record) => ({
      index: record.offset,
      epoch,
      revision: modRevision,
      type: text.decode(record.key ?? new Uint8Array(0)),
      event: JSON.parse(text.decode(record.value ?? new Uint8Array(0))) as JournalEntry["event"]
    }))
  })
}

/** Reads every event of the cluster from etcd. */
export const journalEntries = async ({ client, keys }: Pick<CandidateCluster, "client" | "keys">): Promise<ReadonlyArray<JournalEntry>> => {
  const access = { stream: metadataTopic, keys, client, crc32c }
  const entries: Array<JournalEntry> = []
  for (let from = 0; ; ) {
    const found = await Effect.runPromise(client.range({ ...keys.entriesFrom(from), limit: pageKeys }))
    for (const each of found) entries.push(...entriesOf(each, await Effect.runPromise(batchAt(access, keys.indexOf(each.key), each.value))))
    if (found.length < pageKeys) return entries
    from = (entries.at(-1)?.index ?? 0) + 1
  }
}

/** What clients were told. */
interface Acknowledged {
  /** Names of topics whose creation was acknowledged, by id. */
  readonly created: ReadonlyMap<string, string>
  readonly deleted: ReadonlySet<string>
}

/**
 * Returns what is wrong with a journal. No entry is missing; a leader appends nothing after the first append of the next
 * epoch; an epoch has one leader; every command that was acknowledged is there.
 */
export const judgeJournal = (entries: ReadonlyArray<JournalEntry>, { created, deleted }: Acknowledged): ReadonlyArray<string> => {
  const complaints: Array<string> = []
  const leaders = new Map<number, unknown>()
  const [added, removed] = [new Set<unknown>(), new Set<unknown>()]
  for (const [nth, { epoch, event, index, revision, type }] of entries.entries()) {
    const before = entries[nth - 1]
    if (index !== nth) complaints.push(`M5: entry ${nth} of the journal is missing: ${index} is in its place`)
    if (before !== undefined && epoch < before.epoch) complaints.push(`M4: epoch ${epoch} appended entry ${index} after epoch ${before.epoch}`)
    if (before !== undefined && revision < before.revision)
      complaints.push(`M4: entry ${index} was appended at revision ${revision}, before entry ${before.index} at ${before.revision}`)
    if (type === "TopicAdded") added.add(event.topicId)
    if (type === "TopicRemoved") removed.add(event.topicId)
    if (type !== "LeaderElected") continue
    if (event.epoch !== epoch) complaints.push(`M4: epoch ${epoch} has the event of the leader of epoch ${event.epoch}`)
    if (leaders.has(epoch) && leaders.get(epoch) !== event.nodeId)
      complaints.push(`M4: nodes ${leaders.get(epoch)} and ${event.nodeId} both lead in epoch ${epoch}`)
    leaders.set(epoch, event.nodeId)
  }
  for (const [topicId, name] of created)
    if (!added.has(topicId)) complaints.push(`M5: the creation of ${name} (${topicId}) was acknowledged, and is not in the journal`)
  for (const topicId of deleted)
    if (!removed.has(topicId)) complaints.push(`M5: the deletion of ${created.get(topicId)} was acknowledged, and is not in the journal`)
  return complaints
}
