import { Effect, Either, type Scope } from "effect"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { eachBatches, type StreamImage } from "../stream-image.ts"
import type { Compare, EtcdClient, EtcdFault, Operation } from "./client.ts"
import { partBytesMax, storedAppend } from "./entry-value.ts"
import { observed } from "./followed-stream.ts"
import { StreamKeys } from "./keys.ts"
import { asLogFault, loadSnapshot } from "./snapshots.ts"
import { batchAt, type StreamAccess } from "./stream-access.ts"

const utf8 = new TextEncoder()
const text = new TextDecoder()
/** What one read should have, and how many appends it asks for: as many as have that, by those before. */
const readBytesMax = 2_097_152
const appendsFirst = 16
const appendsMax = 1000
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

/** Reads the appends of a stream, some mebibytes at a time. */
const appendsFrom = (access: StreamAccess): ((from: number) => Effect.Effect<ReadonlyArray<Uint8Array>, EtcdFault | LogFault>) => {
  const { client, keys, stream } = access
  let appends = appendsFirst
  const read = (from: number): Effect.Effect<ReadonlyArray<Uint8Array>, EtcdFault | LogFault> =>
    Effect.gen(function* () {
      const asked = yield* Effect.either(client.range({ ...keys.entriesFrom(from), limit: appends }))
      if (Either.isLeft(asked)) {
        // Too much for one response, or for the time that one may take.
        if (appends === 1) return yield* asked.left
        appends >>>= 1
        return yield* read(from)
      }
      const found = asked.right
      const [first] = found
      if (first === undefined || keys.indexOf(first.key) !== from)
        return yield* new LogFault({
          path: stream,
          reason: "io",
          message: `${stream} was trimmed in ${client.where} while entry ${from} was read. Nothing is lost: run the command again.`
        })
      const batches: Array<Uint8Array> = []
      for (const { key, value } of found) batches.push(yield* batchAt(access, keys.indexOf(key), value))
      const bytes = batches.reduce((sum, batch) => sum + batch.length, 0)
      if (bytes > readBytesMax) appends = Math.max(1, appends >>> 1)
      else if (2 * bytes < readBytesMax) appends = Math.min(appendsMax, 2 * appends)
      return batches
    })
  return read
}

const accessOf = ({ client, crc32c, prefix }: Engine, stream: string): StreamAccess => ({ stream, keys: new StreamKeys(prefix, stream), client, crc32c })

/** Reads a stream up to where it is now, as it is asked for. A leader may append to it meanwhile; the snapshot alone is in memory. */
export const readEtcdStream = (engine: Engine, stream: string): Effect.Effect<StreamImage, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const access = accessOf(engine, stream)
    const { client, keys } = access
    // Before the entries: a snapshot that is newer than them would be ahead of the copy.
    const snapshot = yield* loadSnapshot(access)
    const first = { ...keys.entriesFrom(0), limit: 1, keysOnly: true }
    const found = yield* client.txn({ compares: [], then: [{ range: keys.state }, { range: first }] })
    const [state = [], [entry] = []] = found.ranges
    const { epoch, head } = observed(keys, state, found.revision)
    const read = appendsFrom(access)
    const batches = (from: number) => Effect.mapError(read(from), asLogFault(stream))
    return { stream, start: entry === undefined ? head.value : keys.indexOf(entry.key), end: head.value, epoch: epoch.value, snapshot, batches }
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

/** What the leader's key says while no candidate may win. */
interface Reserved {
  /** A copy into this stream is under way, or was interrupted. */
  readonly copying?: string
  /** The stream is read to be moved there. */
  readonly moving?: string
}
const reservedBy = (value: Uint8Array): Reserved => {
  const read = Either.try(() => JSON.parse(text.decode(value)) as Reserved)
  return Either.isRight(read) ? read.right : {}
}
const reserve = (key: string, value: Reserved | { readonly movedTo: string }): Operation => ({ put: key, value: utf8.encode(JSON.stringify(value)) })

/** Reserves a stream that is not there for a copy, or one whose copy was interrupted: what it left is removed. Returns the guard of all writes. */
const begin = ({ client, keys, stream }: StreamAccess, prefix: string): Effect.Effect<Compare, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const found = yield* client.txn({ compares: [], then: [{ range: keys.state }] })
    const { epoch, leader } = observed(keys, found.ranges[0] ?? [], found.revision)
    const wasInterrupted = leader !== undefined && epoch.modRevision === 0 && reservedBy(leader.value).copying !== undefined
    const compares = [
      { key: keys.leader, modRevision: wasInterrupted ? leader.modRevision : 0 },
      { key: keys.epoch, modRevision: 0 }
    ]
    const leftover = [keys.entriesFrom(0), keys.partsFrom(0), keys.snapshots, { key: keys.snapshot }, { key: keys.head }]
    const then = [reserve(keys.leader, { copying: stream }), ...leftover.map((remove) => ({ remove }))]
    const begun = yield* client.txn({ compares, then })
    if (begun.succeeded) return { key: keys.leader, modRevision: begun.revision }
    return yield* new LogFault({
      path: stream,
      reason: "io",
      message: `${client.where} has ${stream} below ${prefix} already. Nothing was changed. Choose another prefix, or remove it there (etcdctl del --prefix ${prefix}/).`
    })
  })

/**
 * Writes a stream below a prefix that has none of it. Until it is whole the leader's key says "copying", so that no candidate
 * wins; a copy that was interrupted is begun anew by the next one.
 */
export const writeEtcdStream = (engine: Engine, image: StreamImage): Effect.Effect<void, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const { stream } = image
    const access = accessOf(engine, stream)
    const { client, crc32c, keys } = access
    const guard = yield* begin(access, engine.prefix)
    const write = (then: ReadonlyArray<Operation>) =>
      Effect.flatMap(client.txn({ compares: [guard], then }), ({ succeeded }) =>
        succeeded ? Effect.void : Effect.fail(new LogFault({ path: stream, reason: "io", message: `Another process writes ${stream} below ${engine.prefix}.` }))
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

interface EtcdReservation {
  /** The stream stays reserved when the scope closes. */
  readonly keep: Effect.Effect<void>
  /** Leaves a note in place of the leader: no candidate leads it any more. */
  readonly done: Effect.Effect<void, EtcdFault | LogFault>
}

/** Reserves a stream that no candidate leads, so that none wins while it is moved to `to`. It is as before when the scope closes, unless it is kept. */
export const reserveEtcdStream = (engine: Engine, stream: string, to: string): Effect.Effect<EtcdReservation, EtcdFault | LogFault, Scope.Scope> =>
  Effect.gen(function* () {
    const { client, keys } = accessOf(engine, stream)
    const found = yield* client.txn({ compares: [], then: [{ range: keys.state }] })
    const { leader } = observed(keys, found.ranges[0] ?? [], found.revision)
    const fault = new LogFault({
      path: stream,
      reason: "io",
      message: `${stream} is led in ${client.where}, or was a moment ago. Nothing was changed. Stop all candidates (franz brokerlead) and run the command again.`
    })
    // A move that was interrupted left its reservation.
    if (leader !== undefined && reservedBy(leader.value).moving === undefined) return yield* fault
    const reserved = yield* client.txn({
      compares: [{ key: keys.leader, modRevision: leader?.modRevision ?? 0 }],
      then: [reserve(keys.leader, { moving: to })]
    })
    if (!reserved.succeeded) return yield* fault
    const compares = [{ key: keys.leader, modRevision: reserved.revision }]
    // The move that was interrupted may have come to its end: the copy may be in use.
    let isKept = leader !== undefined
    yield* Effect.addFinalizer(() => (isKept ? Effect.void : Effect.ignore(client.txn({ compares, then: [{ remove: { key: keys.leader } }] }))))
    const done = Effect.flatMap(client.txn({ compares, then: [reserve(keys.leader, { movedTo: to })] }), ({ succeeded }) => (succeeded ? Effect.void : fault))
    return { keep: Effect.sync(() => void (isKept = true)), done }
  })
