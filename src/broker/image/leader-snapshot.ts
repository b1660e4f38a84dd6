import { Effect, Either, Schema } from "effect"
import { ClusterSnapshot, TopicRow, topicOfRow, withTopics } from "../../../domain/cluster/snapshot.ts"
import type { Cluster, Topic } from "../../../domain/cluster/state.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { decodeRows } from "../../../domain/kernel/decode-events.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { type Steps, Stride } from "../../../domain/kernel/steps.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { FetchSnapshot } from "../../protocol/message/59-fetch-snapshot.ts"
import { parseJson } from "../../stream/json.ts"
import { readSnapshotDocument } from "../../stream/snapshot-document.ts"
import type { CallFault } from "../../wire/fault.ts"
import type { Link } from "../../wire/link.ts"
import { type LeaderRefused, leaderRefused } from "../fault.ts"

/** Bytes of a snapshot in one response. */
const pieceBytesMax = 1_048_576
/** Bytes of a snapshot: that of 200,000 partitions has about 20 MB. */
const snapshotBytesMax = 268_435_456
/** Partitions that are decoded between two pauses. */
const partitionsPerStep = 128
/** Characters of a schema's reason that a message has. */
const reasonCharactersMax = 200

/** Names a snapshot of the leader. */
export interface LeaderSnapshotId {
  readonly endOffset: bigint
  readonly epoch: number
}

const refused = (why: string) => leaderRefused(`${metadataTopic}: the leader's snapshot cannot be used: ${why}`)

const piece = (link: Link, snapshotId: LeaderSnapshotId, position: number, timeoutMs: number) =>
  Effect.gen(function* () {
    const asked = { partition: 0, currentLeaderEpoch: -1, snapshotId, position: BigInt(position) }
    const request = { maxBytes: pieceBytesMax, topics: [{ name: metadataTopic, partitions: [asked] }] }
    const { errorCode, topics } = yield* link.call(FetchSnapshot, request, { timeoutMs })
    const answered = topics[0]?.partitions[0]
    const error = errorCode === 0 ? (answered?.errorCode ?? -1) : errorCode
    // A newer one may have taken its place: the next Fetch names it.
    if (error !== 0 || answered === undefined) return yield* refused(`it answers ${kafkaError(error)} for the one at ${snapshotId.endOffset}.`)
    return { bytes: answered.unalignedRecords ?? new Uint8Array(0), size: Number(answered.size) }
  })

/** Reads the document of a snapshot, piece by piece. */
const readDocument = (link: Link, id: LeaderSnapshotId, timeoutMs: number): Effect.Effect<Uint8Array, CallFault | LeaderRefused> =>
  Effect.gen(function* () {
    const first = yield* piece(link, id, 0, timeoutMs)
    if (first.size < 0 || first.size > snapshotBytesMax) return yield* refused(`it has ${first.size} bytes, and ${snapshotBytesMax} are the most.`)
    const document = new Uint8Array(first.size)
    let next = first
    for (let at = 0; at < first.size; ) {
      if (next.size !== first.size || next.bytes.length === 0 || at + next.bytes.length > first.size) return yield* refused("it changed while it was read.")
      document.set(next.bytes, at)
      at += next.bytes.length
      if (at < first.size) next = yield* piece(link, id, at, timeoutMs)
    }
    return document
  })

const Head = Schema.Struct({ v: Schema.Literal(1), state: Schema.Struct({ topics: Schema.Array(Schema.Unknown) }) })
const decodeHead = Schema.decodeUnknownEither(Head, { onExcessProperty: "preserve" })
const decodeCluster = Schema.decodeUnknownEither(ClusterSnapshot)
const decodeRow = decodeRows(TopicRow)

/** Reads the cluster of a snapshot in steps; or returns why this version cannot read it. Exported for tests. */
export function* clusterOfSnapshot(value: Uint8Array): Steps<Either.Either<Cluster, string>> {
  const head = Either.flatMap(parseJson(value), (json) => Either.mapLeft(decodeHead(json), ({ message }) => message))
  yield
  if (Either.isLeft(head)) return Either.left(head.left)
  const { state } = head.right
  const snapshot = decodeCluster({ ...state, topics: [] })
  if (Either.isLeft(snapshot)) return Either.left(snapshot.left.message)
  const stride = new Stride(partitionsPerStep)
  const topics: Array<Topic> = []
  for (const json of state.topics) {
    const row = decodeRow(json)
    if (Either.isLeft(row)) return Either.left(row.left.message)
    topics.push(topicOfRow(row.right))
    if (stride.takes(1 + row.right.partitions.length)) yield
  }
  return Either.right(withTopics(snapshot.right, topics))
}

/**
 * Reads a snapshot of the leader, and returns the value in it: the fold of all events before `endOffset`. LeaderRefused
 * where it is gone, changed or came damaged: then the broker connects again, and the next Fetch names the newest.
 */
export const readLeaderSnapshot = (link: Link, id: LeaderSnapshotId, timeoutMs: number, crc32c: Crc32c): Effect.Effect<Uint8Array, CallFault | LeaderRefused> =>
  Effect.flatMap(readDocument(link, id, timeoutMs), (document) =>
    Either.match(readSnapshotDocument(metadataTopic, document, crc32c), { onLeft: ({ message }) => refused(message), onRight: Effect.succeed })
  )

/** Why a snapshot cannot be read, in a length for a log line. */
export const shortReason = (reason: string): string => reason.slice(0, reasonCharactersMax)
