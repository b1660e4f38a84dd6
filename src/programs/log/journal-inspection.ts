import { Either, HashMap } from "effect"
import { decodeSnapshot, snapshotName } from "../../../adapters/journal/snapshot-document.ts"
import { partitionOfStream } from "../../../adapters/journal/stream-partition.ts"
import type { JournalBatch, JournalInspection } from "../../../adapters/log/inspect/check-log.ts"
import { groupMetadataTopic, groupMetadataTopicId } from "../../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { defaults as groupLimits } from "../../../domain/group/limits.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import { groupsAggregate } from "../../groups/groups-aggregate.ts"
import { clusterAggregate } from "../../leader/journal/cluster-aggregate.ts"
import { decodeEntries } from "../../ports/entry-record.ts"
import type { StoredEntry } from "../../ports/journal.ts"
import { checkStream } from "../../stream/stream-check.ts"

const findingAt = (file: string, offset: number, meaning: string, position?: number): Finding => ({
  kind: "journal",
  file,
  position,
  offset,
  meaning,
  advice: "The leader will not start with this. Start the version that wrote it, or put a copy of the leader's whole directory back."
})

const streamOf: JournalInspection["streamOf"] = ({ partition, topicId }) => {
  const stream = topicId === metadataTopicId ? metadataTopic : topicId === groupMetadataTopicId ? `${groupMetadataTopic}-${partition}` : undefined
  const found = stream === undefined ? undefined : partitionOfStream(stream)
  return stream === undefined || found === undefined ? undefined : { stream, snapshotName: snapshotName(found) }
}

/** The entries of batches, up to the first batch that holds none; `unreadable` is called with that. */
function* entriesOf(stream: string, batches: Iterable<JournalBatch>, crc32c: Crc32c, unreadable: (finding: Finding) => void): Generator<StoredEntry> {
  for (const { batch, file, position } of batches) {
    const entries = decodeEntries(stream, [batch.bytes], crc32c)
    if (Either.isLeft(entries)) return unreadable(findingAt(file, batch.baseOffset, entries.left.message, position))
    yield* entries.right
  }
}

/** The inspection of journals with the aggregates that the leader folds. */
export const journalInspection = (crc32c: Crc32c): JournalInspection => ({
  streamOf,
  snapshotIndex: (bytes) => decodeSnapshot(bytes)?.index,
  check: (stream, { directory, end, start }, document, batches) => {
    const unreadable: Array<Finding> = []
    const entries = entriesOf(stream, batches, crc32c, (finding) => unreadable.push(finding))
    const snapshot = document === undefined ? undefined : decodeSnapshot(document)
    const bounds = { stream, start, end }
    const cluster = stream === metadataTopic ? checkStream(clusterAggregate, bounds, snapshot, entries) : undefined
    const { events, problems } = cluster ?? checkStream(groupsAggregate(groupLimits), bounds, snapshot, entries)
    const topics = cluster === undefined ? [] : Array.from(HashMap.values(cluster.state.topics), ({ name, topicId }) => [topicId, name] as const)
    const findings = [...problems.map(({ index, meaning }) => findingAt(directory, index, meaning)), ...unreadable]
    return { events, findings, topics: new Map(topics) }
  }
})
