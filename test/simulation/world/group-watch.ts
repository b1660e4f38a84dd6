import { groupMetadataTopicId } from "../../../domain/cluster/topic/group-metadata.ts"
import { groupStreamName } from "../../../src/groups/groups-aggregate.ts"
import { finalJournals, type JournalEvent, type JournalReading, type SnapshotRead } from "../history.ts"
import { type PartitionStream, partitionStreamOnDisk } from "./disk-reading.ts"
import { groupStreamCount } from "./folds.ts"
import { groupPartitionOf } from "./group-place.ts"
import { brokerName, leaderName } from "./nodes.ts"
import type { World } from "./world.ts"

/** What one stream had in its partition, on the disks that were looked at. */
interface Known {
  /**
   * The entry that the last leader had, by index. It may be of an older leader epoch than the one before: a leader that
   * commits nothing, and is followed by the one before it, loses its entries to those that this one has.
   */
  readonly entries: Map<number, PartitionStream["entries"][number]>
  /** Whole snapshots, by index. */
  readonly snapshots: Map<number, SnapshotRead>
}

/**
 * Follows the streams of groups from the leader's journal into the partitions of `__group_metadata`: at the end each
 * stream is read as one journal. Logs are trimmed and disks are replaced, so that they are looked at all the time.
 */
export class GroupWatch {
  /** The brokers that led the partitions at the last look. */
  private readonly leaders = new Map<number, number>()
  private readonly known: ReadonlyArray<Known> = Array.from({ length: groupStreamCount }, () => ({ entries: new Map(), snapshots: new Map() }))

  constructor(private readonly world: World) {}

  /** Looks at the logs of the brokers that lead the partitions. */
  look(): void {
    for (const [index, known] of this.known.entries()) {
      const leader = this.leaderOf(index)
      if (leader === undefined) continue
      this.leaders.set(index, leader)
      const { entries, snapshots } = this.read(leader, index)
      for (const entry of entries) known.entries.set(entry.index, entry)
      for (const snapshot of snapshots) known.snapshots.set(snapshot.index, snapshot)
    }
  }

  /** Notes each stream as a whole: what the leader's journal had at the handover, and the entries of the partition. The cluster is at rest, and was looked at. */
  finish(): void {
    const { recorder } = this.world
    const before = new Map(finalJournals(recorder.history).map((reading) => [reading.stream, reading] as const))
    for (const [index, known] of this.known.entries()) {
      const stream = groupStreamName(index)
      const leader = this.leaders.get(index)
      if (leader === undefined) {
        recorder.unfinished.push(`${stream}: no broker coordinates its groups`)
        continue
      }
      const { end } = this.read(leader, index)
      const events = wholeOf(before.get(stream), known, end)
      const readings = [...known.snapshots.values()].filter(({ index }) => index <= end)
      for (const snapshot of [...readings, undefined]) recorder.journals.push({ at: recorder.next(), stream, events, snapshot })
    }
  }

  private read(broker: number, index: number): PartitionStream {
    return partitionStreamOnDisk(this.world.host(brokerName(broker)).disk, groupStreamName(index), groupMetadataTopicId, index)
  }
  private leaderOf(index: number): number | undefined {
    const cluster = this.world.believer(leaderName)?.cluster()
    const leader = cluster === undefined ? undefined : groupPartitionOf(cluster, index)?.leader
    return leader === undefined || leader < 0 ? undefined : leader
  }
}

/** The entries of the partition, and before the first of them what the leader's journal had. */
const wholeOf = (before: JournalReading | undefined, { entries }: Known, end: number): ReadonlyArray<JournalEvent> => {
  const all: Array<JournalEvent> = []
  for (let index = 0; index < end; index++) {
    const found = entries.get(index) ?? before?.events[index]
    if (found !== undefined) all.push({ index, commandId: found.commandId, type: found.type, json: found.json })
  }
  return all
}
