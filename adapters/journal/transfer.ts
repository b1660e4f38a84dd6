import { Effect, type Scope } from "effect"
import { groupMetadataTopic, groupMetadataTopicId } from "../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import { readInt64, writeInt64 } from "../../domain/log/int.ts"
import { defaultLogConfig, LogFault, type LogStore } from "../../src/ports/log-store.ts"
import { decodeSnapshot, encodeSnapshot, snapshotName } from "./snapshot-document.ts"
import { eachBatches, type StreamImage } from "./stream-image.ts"
import { epochName, partitionOfStream, type StreamPartition } from "./stream-partition.ts"

type Logs = LogStore["Type"]

const readBytesMax = 1_048_576
const config = { ...defaultLogConfig, segmentBytesMax: 16_777_216, readsWholeAtOpen: true }

const partitionOf = (stream: string): Effect.Effect<StreamPartition, LogFault> => {
  const at = partitionOfStream(stream)
  return at === undefined ? Effect.fail(new LogFault({ path: stream, reason: "io", message: `No stream is called '${stream}'.` })) : Effect.succeed(at)
}

/** The streams that the logs of a leader's directory hold. */
export const streamsIn = (logs: Logs): Effect.Effect<ReadonlyArray<string>, LogFault> =>
  Effect.map(logs.list, (found) =>
    found.flatMap(({ partition, topicId }) =>
      topicId === metadataTopicId ? [metadataTopic] : topicId === groupMetadataTopicId ? [`${groupMetadataTopic}-${partition}`] : []
    )
  )

/** Reads a stream of a journal over files that no node holds. */
export const readLogStream = (logs: Logs, stream: string): Effect.Effect<StreamImage, LogFault, Scope.Scope> =>
  Effect.gen(function* () {
    const at = yield* partitionOf(stream)
    const log = yield* logs.open(at.topicId, at.partition, config, false)
    const [epoch] = yield* logs.readCheckpoint(epochName(at))
    const [snapshot] = yield* logs.readCheckpoint(snapshotName(at))
    return {
      stream,
      start: log.start(),
      end: log.end(),
      epoch: epoch === undefined ? -1 : readInt64(epoch, 0),
      snapshot: snapshot === undefined ? undefined : decodeSnapshot(snapshot),
      batches: (from) => log.read(from, readBytesMax, log.end())
    }
  })

/** Writes a stream as a journal over files, durably. The directory must have no log of it. */
export const writeLogStream = (logs: Logs, image: StreamImage): Effect.Effect<void, LogFault, Scope.Scope> =>
  Effect.gen(function* () {
    const at = yield* partitionOf(image.stream)
    const log = yield* logs.open(at.topicId, at.partition, config, true)
    if (image.start > 0) yield* log.restartAt(image.start)
    yield* eachBatches(image, (batches) => log.append(batches))
    yield* log.sync
    const epoch = new Uint8Array(8)
    writeInt64(epoch, 0, image.epoch)
    if (image.snapshot !== undefined) yield* logs.writeCheckpoint(snapshotName(at), encodeSnapshot(image.snapshot))
    yield* logs.writeCheckpoint(epochName(at), epoch)
  })
