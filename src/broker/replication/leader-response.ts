import { Either } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../domain/log/batch.ts"
import type { Fetch } from "../../protocol/message/01-fetch.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import type { LeaderResponse } from "../partition/replica/following.ts"

export type PartitionResponse = ResponseOf<typeof Fetch>["responses"][number]["partitions"][number]

const noBytes = new Uint8Array(0)

/** What an answer says; or its error. */
export const answerOf = ({
  divergingEpoch,
  errorCode,
  highWatermark,
  logStartOffset,
  records,
  sparseEnd
}: PartitionResponse): Either.Either<LeaderResponse, string> => {
  const error = kafkaError(errorCode)
  const logStart = Number(logStartOffset)
  if (error === "OFFSET_OUT_OF_RANGE") return Either.right({ _tag: "out of range", logStart })
  if (error !== "NONE") return Either.left(error)
  if (divergingEpoch.endOffset >= 0n)
    return Either.right({ _tag: "diverging", diverging: { epoch: divergingEpoch.epoch, endOffset: Number(divergingEpoch.endOffset) } })
  return Either.mapBoth(readableBatches(records ?? noBytes), {
    onLeft: ({ message }) => message,
    onRight: (batches) => ({
      _tag: "records" as const,
      highWatermark: Number(highWatermark),
      logStart,
      count: batches.length,
      batches,
      sparseEnd: Number(sparseEnd)
    })
  })
}

/** Whether the session continues with the partition at its offset: the answer has bounds alone, and no records. */
export const hasBoundsAlone = ({ divergingEpoch, errorCode, records }: PartitionResponse): boolean =>
  errorCode === 0 && divergingEpoch.endOffset < 0n && (records === null || records.length === 0)
