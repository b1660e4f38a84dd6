import { Effect } from "effect"
import { groupMetadataTopic, metadataTopic } from "../../../domain/cluster/topic/name.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { LogFault, type PartitionLog } from "../../../src/ports/log-store.ts"
import { eachBatches, type StreamImage } from "../stream-image.ts"
import type { EtcdClient, EtcdFault, Operation } from "./client.ts"
import { partBytesMax, storedAppend } from "./entry-value.ts"
import { FollowedStream } from "./followed-stream.ts"
import { StreamKeys } from "./keys.ts"
import { loadSnapshot } from "./snapshots.ts"

const utf8 = new TextEncoder()
const readBytesMax = 1_048_576
/** Keys that one request puts: etcd takes 128 at most. */
const putsMax = 100

interface Engine {
  readonly client: EtcdClient
  readonly prefix: string
  readonly crc32c: Crc32c
}

/** The streams below a prefix: that of the cluster, and those of the groups, which have numbers from 0 on. */
export const streamsBelow = ({ client, prefix }: Engine): Effect.Effect<ReadonlyArray<string>, EtcdFault> =>
  Effect.gen(function* () {
    const streams: Array<string> = []
    const isThere = (stream: string) => Effect.map(client.range({ key: new StreamKeys(prefix, stream).epoch }), (found) => found.length > 0)
    if (yield* isThere(metadataTopic)) streams.push(metadataTopic)
    for (let n = 0; yield* isThere(`${groupMetadataTopic}-${n}`); n++) streams.push(`${groupMetadataTopic}-${n}`)
    return streams
  })

/** Reads a stream up to where it is now; its batches go to `log`. A leader may append to it meanwhile. */
export const readEtcdStream = ({ client, crc32c, prefix }: Engine, stream: string, log: PartitionLog): Effect.Effect<StreamImage, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const parts = { stream, keys: new StreamKeys(prefix, stream), client, crc32c, log }
    // Before the entries: a snapshot that is newer than them would be ahead of the copy.
    const snapshot = yield* loadSnapshot(parts)
    const { epoch, head } = yield* new FollowedStream(parts).pull
    return { stream, start: log.start(), end: head.value, epoch: epoch.value, snapshot, batches: (from) => log.read(from, readBytesMax, log.end()) }
  })

/** Splits puts into requests: each has at most a part's bytes. */
const requests = (puts: ReadonlyArray<{ readonly put: string; readonly value: Uint8Array }>): ReadonlyArray<ReadonlyArray<Operation>> => {
  const all: Array<Array<Operation>> = [[]]
  let bytes = 0
  for (const put of puts) {
    const last = all.at(-1) as Array<Operation>
    if (last.length > 0 && (last.length >= putsMax || bytes + put.value.length > partBytesMax)) {
      all.push([put])
      bytes = 0
    } else last.push(put)
    bytes += put.value.length
  }
  return all.filter((request) => request.length > 0)
}

/**
 * Writes a stream below a prefix that has none of it. Until it is whole the leader's key says "copying", so that no candidate
 * wins; a copy that was interrupted leaves that key, and has to be removed with all that is below the prefix.
 */
export const writeEtcdStream = ({ client, crc32c, prefix }: Engine, image: StreamImage): Effect.Effect<void, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const { stream } = image
    const keys = new StreamKeys(prefix, stream)
    const absent = [keys.leader, keys.epoch, keys.head].map((key) => ({ key, modRevision: 0 }))
    const begun = yield* client.txn({ compares: absent, then: [{ put: keys.leader, value: utf8.encode(JSON.stringify({ copying: stream })) }] })
    if (!begun.succeeded)
      return yield* new LogFault({
        path: stream,
        reason: "io",
        message: `${client.where} has ${stream} below ${prefix} already, or a copy of it that was interrupted. Nothing was changed. Choose another prefix, or remove it there (etcdctl del --prefix ${prefix}/).`
      })
    const guard = { key: keys.leader, modRevision: begun.revision }
    const write = (then: ReadonlyArray<Operation>) =>
      Effect.flatMap(client.txn({ compares: [guard], then }), ({ succeeded }) =>
        succeeded ? Effect.void : Effect.fail(new LogFault({ path: stream, reason: "io", message: `Another process writes ${stream} below ${prefix}.` }))
      )
    yield* eachBatches(image, (batches) => {
      const puts = batches.flatMap(({ baseOffset, bytes, partitionLeaderEpoch }) => {
        const { parts, value } = storedAppend(bytes, partitionLeaderEpoch)
        return [...parts.map((part, n) => ({ put: keys.part(baseOffset, partitionLeaderEpoch, n), value: part })), { put: keys.entry(baseOffset), value }]
      })
      return Effect.forEach(requests(puts), write, { discard: true })
    })
    if (image.snapshot !== undefined) {
      const { index, value } = image.snapshot
      const save = `${index}-${image.epoch}-copy`
      const count = Math.max(1, Math.ceil(value.length / partBytesMax))
      for (let part = 0; part < count; part++)
        yield* write([{ put: keys.snapshotPart(save, part), value: value.subarray(part * partBytesMax, (part + 1) * partBytesMax) }])
      const named = { index, save, parts: count, bytes: value.length, crc32c: crc32c(value, 0, value.length) }
      yield* write([{ put: keys.snapshot, value: utf8.encode(JSON.stringify(named)) }])
    }
    yield* write([
      { put: keys.epoch, value: utf8.encode(String(image.epoch)) },
      { put: keys.head, value: utf8.encode(String(image.end)) },
      { remove: { key: keys.leader } }
    ])
  })
