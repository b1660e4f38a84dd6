import { Effect } from "effect"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { LogFault } from "../../ports/log-store.ts"
import { FetchSnapshot } from "../../protocol/message/59-fetch-snapshot.ts"
import type { Predecessor } from "../../stream/partition/partition-journal.ts"
import type { Link } from "../../wire/link.ts"
import type { LeaderContact } from "../leader-contact.ts"

/** Bytes of a state in one response. */
const pieceBytesMax = 1_048_576

const failed = (partition: number, why: string): LogFault =>
  new LogFault({
    path: `${groupMetadataTopic}-${partition}`,
    reason: "io",
    message: `the leader of the cluster has not handed over the groups of ${groupMetadataTopic}-${partition}: ${why}`
  })

/** Reads one piece; its `size` is that of the whole state. */
const piece = (link: Link, partition: number, position: number) =>
  Effect.gen(function* () {
    const asked = { partition, currentLeaderEpoch: -1, snapshotId: { endOffset: -1n, epoch: -1 }, position: BigInt(position) }
    const request = { maxBytes: pieceBytesMax, topics: [{ name: groupMetadataTopic, partitions: [asked] }] }
    const { errorCode, topics } = yield* Effect.mapError(link.call(FetchSnapshot, request), ({ message }) => failed(partition, message))
    const answered = topics[0]?.partitions[0]
    const error = errorCode === 0 ? (answered?.errorCode ?? -1) : errorCode
    if (error !== 0 || answered === undefined) return yield* failed(partition, `it answers ${kafkaError(error)}`)
    return { bytes: answered.unalignedRecords ?? new Uint8Array(0), size: Number(answered.size), index: Number(answered.snapshotId.endOffset) }
  })

/** Asks the leader of the cluster for the state of a stream of groups at its handover: one stream at a time. */
export const handedOverState = ({ openAsBroker }: Pick<LeaderContact["Type"], "openAsBroker">): Predecessor => {
  const oneAtATime = Effect.unsafeMakeSemaphore(1)
  const read = (partition: number) =>
    Effect.gen(function* () {
      const link = yield* Effect.mapError(openAsBroker("groups"), ({ message }) => failed(partition, message))
      const first = yield* piece(link, partition, 0)
      const value = new Uint8Array(first.size)
      value.set(first.bytes)
      for (let at = first.bytes.length; at < first.size; ) {
        const next = yield* piece(link, partition, at)
        if (next.index !== first.index || next.size !== first.size || next.bytes.length === 0)
          return yield* failed(partition, "the state changed while it was read")
        value.set(next.bytes, at)
        at += next.bytes.length
      }
      return { index: first.index, value }
    })
  return (stream) => oneAtATime.withPermits(1)(Effect.scoped(read(Number(stream.slice(groupMetadataTopic.length + 1)))))
}
