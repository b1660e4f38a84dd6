import { Effect, Either, Layer, Scope } from "effect"
import { layer as memoryStore } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { groupMetadataTopic, groupMetadataTopicId } from "../../../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic } from "../../../../domain/cluster/topic/name.ts"
import { defaultNodeConfig, topicConfig } from "../../../../domain/kernel/config.ts"
import { BrokerId } from "../../../../domain/kernel/id.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { LedReplicaPartition } from "../../../../src/broker/groups/led-replica-partition.ts"
import { Replica } from "../../../../src/broker/partition/replica/replica.ts"
import { ReplicationQuota } from "../../../../src/broker/partition/replica/replication-quota.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { type DirectoryLocked, defaultLogConfig, LogFault, LogStore } from "../../../../src/ports/log-store.ts"
import type { LedPartition } from "../../../../src/stream/partition/led-partition.ts"
import { PartitionJournal, type Predecessor } from "../../../../src/stream/partition/partition-journal.ts"
import { noPacking } from "../../../domain/log/make-batch.ts"
import { checksum } from "../../ports/log-batches.ts"

const config = topicConfig(defaultNodeConfig, { "retention.ms": "-1", "max.message.bytes": "104857600" })

const services = {
  nodeId: BrokerId.make(1),
  elapsed: () => 0,
  now: () => 0,
  producerExpirationMs: () => Number.POSITIVE_INFINITY,
  countsUnsynced: false,
  nearTo: () => undefined,
  leaderQuota: new ReplicationQuota(
    "leader.replication.throttled.replicas",
    () => Number.MAX_SAFE_INTEGER,
    () => 0
  ),
  propose: () => undefined,
  followed: () => undefined,
  internalRoleChanged: () => undefined,
  lost: () => undefined,
  dropStart: () => Effect.void,
  logSettled: () => undefined,
  highWatermarkFell: Effect.void,
  recordsLost: () => undefined,
  faulty: () => undefined,
  isUnwritable: () => false
}

const partitionOf = (stream: string): number | undefined => {
  if (stream === metadataTopic) return 1000
  const [, partition] = new RegExp(`^${groupMetadataTopic}-(0|[1-9]\\d{0,5})$`).exec(stream) ?? []
  return partition === undefined ? undefined : Number(partition)
}

/** Partitions with one replica on a disk in memory. What the cluster's leader would know of them outlives their broker: the epochs and the starts. */
export class PartitionWorld {
  readonly disk = new MemoryDisk()
  private readonly epochs = new Map<string, number>()
  private readonly starts = new Map<string, number>()
  readonly replicas = new Map<string, Replica>()

  /** Batches that the partitions take, as if their broker stopped then. */
  appendsMax = Number.POSITIVE_INFINITY

  constructor(private readonly predecessor?: Predecessor) {}

  /** A journal over the partitions. Each candidate is elected under the next leader epoch. */
  readonly layer: Layer.Layer<Journal, DirectoryLocked | LogFault> = Layer.scoped(
    Journal,
    Effect.gen(this, function* () {
      const scope = yield* Effect.scope
      const store = yield* LogStore
      const oneAtATime = Effect.unsafeMakeSemaphore(1)
      this.replicas.clear()
      const { predecessor } = this
      const journal = new PartitionJournal({
        crc32c,
        ...(predecessor === undefined ? {} : { predecessor }),
        partitions: {
          find: (stream) => {
            const replica = this.replicas.get(stream)
            return replica?.leading === undefined
              ? Either.left(unknown(stream))
              : Either.right(this.bounded(new LedReplicaPartition(replica, replica.leading, this.raise)))
          }
        }
      })
      const lead = (stream: string) => Effect.zipRight(Scope.extend(this.elect(store, stream), scope), journal.prepare(stream))
      const { append, batches, campaign, follow, loadSnapshot, saveSnapshot, trim } = journal
      return {
        append,
        batches,
        follow,
        loadSnapshot,
        saveSnapshot,
        trim,
        campaign: (stream, candidate) => oneAtATime.withPermits(1)(Effect.zipRight(lead(stream), campaign(stream, candidate)))
      }
    })
  ).pipe(Layer.provide(memoryStore(this.disk)), Layer.provide(checksum))

  private bounded(partition: LedReplicaPartition): LedPartition {
    const stopped = { tookNothing: false, fault: new LogFault({ path: "disk", reason: "io", message: "The broker stops here." }) }
    return { ...partition, append: (batch, now) => (this.appendsMax-- > 0 ? partition.append(batch, now) : Either.left(stopped)) }
  }

  private readonly raise: ConstructorParameters<typeof LedReplicaPartition>[2] = (all) =>
    Effect.forEach(all, ({ offset, replica }) => {
      replica.raiseStart(offset)
      this.starts.set(`${replica.topic}-${replica.partition}`, offset)
      return Effect.either(replica.trim)
    })

  private elect(store: LogStore["Type"], stream: string): Effect.Effect<void, LogFault, Scope.Scope> {
    return Effect.gen(this, function* () {
      const partition = partitionOf(stream)
      if (partition === undefined) return yield* unknown(stream)
      const replica = this.replicas.get(stream) ?? (yield* this.open(store, partition))
      this.replicas.set(stream, replica)
      const epoch = (this.epochs.get(stream) ?? -1) + 1
      this.epochs.set(stream, epoch)
      replica.becomeLeader(epoch)
    })
  }

  private open(store: LogStore["Type"], partition: number): Effect.Effect<Replica, LogFault, Scope.Scope> {
    const topic = groupMetadataTopic
    return Effect.flatMap(store.open(groupMetadataTopicId, partition, defaultLogConfig), (log) =>
      Replica.open(
        {
          topic,
          topicId: groupMetadataTopicId,
          partition,
          config,
          start: this.starts.get(`${topic}-${partition}`) ?? 0,
          codecs: { crc32c, packing: noPacking },
          report: () => undefined,
          bug: (message) => {
            throw new Error(message)
          },
          isReplicated: false,
          checkpointed: 0,
          replication: services
        },
        log,
        { now: 0, producerExpirationMs: Number.POSITIVE_INFINITY }
      )
    )
  }
}

const unknown = (stream: string): LogFault => new LogFault({ path: stream, reason: "io", message: `No stream is called '${stream}'.` })
