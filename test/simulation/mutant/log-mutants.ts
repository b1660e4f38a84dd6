import { Effect, Either } from "effect"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { fieldAt, splitBatches } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeBigInt64, writeInt16, writeInt32 } from "../../../domain/log/int.ts"
import type { LogStore, PartitionLog } from "../../../src/ports/log-store.ts"
import { decodeRequest } from "../../../src/protocol/codec/compile.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import type { ResponseDraft } from "../../../src/protocol/type/wire.ts"
import type { Route } from "../../../src/wire/route.ts"
import type { Mutant } from "./mutant.ts"

type Store = LogStore["Type"]

const withLog = (store: Store, change: (log: PartitionLog) => Partial<PartitionLog>): Store => ({
  ...store,
  open: (topicId, partition, config) => Effect.map(store.open(topicId, partition, config), (log) => ({ ...plain(log), ...change(log) }))
})
/** A log's verbs without its class, so that single ones can be exchanged. */
const plain = (log: PartitionLog): PartitionLog => ({
  start: () => log.start(),
  end: () => log.end(),
  syncedEnd: () => log.syncedEnd(),
  refusal: () => log.refusal(),
  segments: () => log.segments(),
  configure: (config) => log.configure(config),
  truncateTo: (offset) => log.truncateTo(offset),
  restartAt: (offset) => log.restartAt(offset),
  append: (batches) => log.append(batches),
  appendAsFollower: (batches) => log.appendAsFollower(batches),
  sync: Effect.suspend(() => log.sync),
  whenSynced: (offset, synced) => log.whenSynced(offset, synced),
  read: (from, maxBytes, upTo) => log.read(from, maxBytes, upTo),
  batchAtTime: (timestamp, from) => log.batchAtTime(timestamp, from),
  scan: (from, visit) => log.scan(from, visit),
  derived: log.derived,
  deleteBefore: (offset) => log.deleteBefore(offset),
  cleanEnd: () => log.cleanEnd(),
  sparseEnd: () => log.sparseEnd(),
  noteSparse: (end) => log.noteSparse(end),
  compact: (order) => log.compact(order),
  scrub: Effect.suspend(() => log.scrub),
  onDamage: (heard) => log.onDamage(heard)
})
const plainDerived = ({ derived }: PartitionLog): PartitionLog["derived"] => ({
  snapshots: derived.snapshots,
  epochs: () => derived.epochs(),
  keep: (source) => derived.keep(source),
  save: () => derived.save()
})
/** A store that calls everything synced as soon as it is written. */
const hasty = (store: Store): Store =>
  withLog(store, (log) => ({
    sync: Effect.void,
    syncedEnd: () => log.end(),
    whenSynced: (_, synced) => {
      synced(undefined)
      return () => {}
    }
  }))

export const ackBeforeSync: Mutant = {
  name: "ack-before-sync",
  likelySeed: 4,
  mistake: "a broker answers acks=all before the records are on disk",
  store: (store, role) => (role === "broker" ? hasty(store) : store)
}

export const journalNotSynced: Mutant = {
  name: "journal-not-synced",
  mistake: "the leader answers before its events are on disk",
  store: (store, role) => (role === "leader" ? hasty(store) : store)
}

/** A disk that keeps the files and forgets their names. */
class NamelessDisk extends MemoryDisk {
  override session(): ReturnType<MemoryDisk["session"]> {
    return { ...super.session(), syncDirectory: () => Effect.void }
  }
}
export const directoryNotSynced: Mutant = { name: "directory-not-synced", mistake: "a new file's name is not made durable", disk: () => new NamelessDisk() }

export const producersForgotten: Mutant = {
  name: "producers-forgotten",
  mistake: "a broker that starts does not rebuild what it knew of idempotent producers",
  store: (store, role) => (role === "broker" ? withLog(store, (log) => ({ scan: () => Effect.void, derived: { ...plainDerived(log), snapshots: [] } })) : store)
}

/** A disk that says that a sync succeeded when it did not. */
class LyingDisk extends MemoryDisk {
  override session(): ReturnType<MemoryDisk["session"]> {
    const real = super.session()
    return {
      ...real,
      open: (path, mode) => {
        const file = real.open(path, mode)
        return { ...file, sync: Effect.ignore(file.sync), syncThen: undefined }
      }
    }
  }
}
export const failedSyncIgnored: Mutant = {
  name: "failed-sync-ignored",
  likelySeed: 7,
  mistake: "a sync that failed counts as one that succeeded",
  disk: () => new LyingDisk()
}

const changed = (routes: ReadonlyArray<Route>, key: number, change: (route: Route) => Partial<Route>): ReadonlyArray<Route> =>
  routes.map((route) => (route.api.key === key ? { ...route, ...change(route) } : route))

/** Takes the producer out of every batch of a request, so that it looks like one that is not idempotent. */
const withoutProducer = (records: Uint8Array): void => {
  for (const { bytes } of Either.getOrElse(splitBatches(records), () => [])) {
    writeBigInt64(bytes, fieldAt.producerId, -1n)
    writeInt16(bytes, fieldAt.producerEpoch, -1)
    writeInt32(bytes, fieldAt.baseSequence, -1)
    writeInt32(bytes, fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  }
}
export const noDeduplication: Mutant = {
  name: "no-deduplication",
  mistake: "a broker does not look at producer ids and sequences",
  brokerRoutes: (routes) =>
    changed(routes, Produce.key, (route) => ({
      start: (context, bodyAt) => {
        const request = decodeRequest(Produce, context.version, context.frame, bodyAt)
        if (Either.isRight(request))
          for (const { partitionData } of request.right.topicData) for (const { records } of partitionData) if (records !== null) withoutProducer(records)
        return route.start(context, bodyAt)
      }
    }))
}

/** Every so many answers say that the records are where the log begins. */
const lieEvery = 40
export const zeroOffset: Mutant = {
  name: "zero-offset",
  mistake: "now and then Produce is answered with offset 0",
  brokerRoutes: (routes) => {
    let answers = 0
    return changed(routes, Produce.key, (route) => ({
      encode: (context, answer) => {
        const { responses, ...rest } = answer as ResponseDraft<typeof Produce>
        const lies = ++answers % lieEvery === 0
        const told = responses.map((topic) => ({
          ...topic,
          partitionResponses: topic.partitionResponses.map((one) => (lies && one.errorCode === 0 ? { ...one, baseOffset: 0n } : one))
        }))
        return route.encode(context, { ...rest, responses: told })
      }
    }))
  }
}

export const startForgotten: Mutant = {
  name: "start-forgotten",
  mistake: "a broker that starts does not know any more up to where records were deleted",
  store: (store, role) => (role === "broker" ? { ...store, readCheckpoint: () => Effect.succeed([]) } : store)
}

export const blindRetry: Mutant = {
  name: "blind-retry",
  likelySeed: 8,
  mistake: "a message of unknown outcome is sent again as a new one",
  blindRetry: true
}
