import { Effect, Either } from "effect"
import { errorCode, type KafkaError, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { Offset, TopicId } from "../../../domain/kernel/id.ts"
import { splitBatches } from "../../../domain/log/batch.ts"
import { Produce } from "../../protocol/message/00-produce.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Endpoints, type FindLeader, type TopicRef } from "../../serve/current-leader.ts"
import { disconnect, type Handled, noResponse, type Route, route } from "../../wire/route.ts"
import type { Appended, PartitionOwner } from "../partition/owner.ts"
import type { PartitionTable } from "../partition/table.ts"

type Request = RequestOf<typeof Produce>
type Response = ResponseDraft<typeof Produce>
type PartitionAnswer = Response["responses"][number]["partitionResponses"][number]

export interface ProduceOptions {
  readonly table: PartitionTable
  readonly findLeader: FindLeader
  /** ms since 1970. */
  readonly now: () => number
}

/** From this version on topics are named by id alone (KIP-516). */
const topicIdsSince = 13
/** From this version on records may be compressed with zstd (KIP-110). */
const zstdSince = 7
/** From this version on an error names the leader and its address (KIP-951). */
const leadersSince = 10
const none = 0
const all = -1

/** What became of one partition's records. */
interface Outcome {
  readonly index: number
  readonly ref: TopicRef
  readonly owner: PartitionOwner | undefined
  result: Either.Either<Appended, Rejection>
}

const refuse = (error: KafkaError, message: string): Either.Either<never, Rejection> => Either.left({ error, message })

const notHere: Record<Exclude<ReturnType<PartitionTable["find"]>, PartitionOwner>, string> = {
  UNKNOWN_TOPIC_OR_PARTITION: "This cluster has no such topic or partition.",
  UNKNOWN_TOPIC_ID: "This cluster has no topic of that id.",
  NOT_LEADER_OR_FOLLOWER: "This broker does not lead the partition.",
  KAFKA_STORAGE_ERROR: "The log of the partition could not be opened."
}

/** One walk over a request: everything is appended before anything is waited for. */
class Pass {
  readonly outcomes: ReadonlyArray<ReadonlyArray<Outcome>>

  constructor(
    private readonly options: ProduceOptions,
    private readonly request: Request,
    private readonly version: number
  ) {
    const now = options.now()
    this.outcomes = request.topicData.map(({ name, topicId, partitionData }) => {
      const ref: TopicRef = version >= topicIdsSince ? { topicId: topicId as TopicId } : { name }
      return partitionData.map(({ index, records }) => this.append(ref, index, records, now))
    })
  }

  private append(ref: TopicRef, index: number, records: Uint8Array | null, now: number): Outcome {
    const { acks } = this.request
    if (acks !== all && acks !== 1 && acks !== none)
      return { index, ref, owner: undefined, result: refuse("INVALID_REQUIRED_ACKS", `acks is -1 (all), 0 or 1, not ${acks}.`) }
    const owner = this.options.table.find(ref, index)
    if (typeof owner === "string") return { index, ref, owner: undefined, result: refuse(owner, notHere[owner]) }
    return { index, ref, owner, result: this.appendTo(owner, records, now) }
  }

  private appendTo(owner: PartitionOwner, records: Uint8Array | null, now: number): Outcome["result"] {
    const batches = records === null ? Either.right([]) : splitBatches(records)
    if (Either.isLeft(batches)) return refuse(batches.left.error, batches.left.message)
    if (this.version < zstdSince && batches.right.some((batch) => batch.codec === "zstd"))
      return refuse("UNSUPPORTED_COMPRESSION_TYPE", `Records compressed with zstd need Produce ${zstdSince} or later, not ${this.version}.`)
    return owner.append(batches.right, now)
  }

  /** Those whose records are not on disk yet. */
  unsynced(): ReadonlyArray<Outcome> {
    return this.outcomes.flat().filter(({ owner, result }) => owner !== undefined && Either.isRight(result) && !owner.isSynced(result.right.lastOffset))
  }

  failure(): Rejection | undefined {
    for (const topic of this.outcomes) for (const { result } of topic) if (Either.isLeft(result)) return result.left
    return undefined
  }

  response(): Response {
    const endpoints = new Endpoints()
    const responses = this.request.topicData.map(({ name, topicId }, i) => ({
      name,
      topicId,
      partitionResponses: (this.outcomes[i] as ReadonlyArray<Outcome>).map((outcome) => this.answer(outcome, endpoints))
    }))
    return { responses, throttleTimeMs: 0, nodeEndpoints: endpoints.list() }
  }

  private answer({ index, ref, owner, result }: Outcome, endpoints: Endpoints): PartitionAnswer {
    if (Either.isRight(result)) {
      const { baseOffset, logAppendTime } = result.right
      const logStartOffset: Offset = owner?.start() ?? -1
      return { index, errorCode: 0, baseOffset: BigInt(baseOffset), logAppendTimeMs: BigInt(logAppendTime), logStartOffset: BigInt(logStartOffset) }
    }
    const { error, message } = result.left
    const leader = error === "NOT_LEADER_OR_FOLLOWER" && this.version >= leadersSince ? endpoints.note(this.options.findLeader(ref, index)) : undefined
    return {
      index,
      errorCode: errorCode(error),
      baseOffset: -1n,
      errorMessage: message,
      ...(leader === undefined ? {} : { currentLeader: leader })
    }
  }
}

/** Waits until the records are on disk, and looks again whether this broker still leads: an answer holds for the epoch it was decided under. */
const awaitSync = (outcome: Outcome, owner: PartitionOwner): Effect.Effect<void> =>
  Effect.match(owner.sync, {
    onFailure: (fault) => {
      owner.failed(fault)
      outcome.result = refuse("KAFKA_STORAGE_ERROR", fault.message)
    },
    onSuccess: () => {
      if (Either.isRight(outcome.result) && (!owner.isLeading || owner.leaderEpoch() !== outcome.result.right.leaderEpoch))
        outcome.result = refuse("NOT_LEADER_OR_FOLLOWER", "The partition changed its leader while the records were written.")
    }
  })

const awaitOutcome = (outcome: Outcome): Effect.Effect<void> => (outcome.owner === undefined ? Effect.void : awaitSync(outcome, outcome.owner))

/** Every log is synced at the same time; what is not on disk after `timeoutMs` is answered with REQUEST_TIMED_OUT (its records are in the log all the same). */
const awaitAll = (pass: Pass, unsynced: ReadonlyArray<Outcome>, timeoutMs: number): Effect.Effect<Response> =>
  Effect.forEach(unsynced, awaitOutcome, { concurrency: unsynced.length === 1 ? 1 : "unbounded", discard: true }).pipe(
    Effect.timeoutOption(`${Math.max(0, timeoutMs)} millis`),
    Effect.map(() => {
      for (const outcome of pass.unsynced()) outcome.result = refuse("REQUEST_TIMED_OUT", `The records were not on disk within ${timeoutMs} ms.`)
      return pass.response()
    })
  )

const answer = (pass: Pass, { acks, timeoutMs }: Request): Handled<typeof Produce> => {
  if (acks === none) {
    // There is no answer that could carry an error; a closed connection makes the client look again.
    const failure = pass.failure()
    return failure === undefined ? noResponse : disconnect(`a Produce with acks=0 failed: ${failure.error}: ${failure.message}`)
  }
  const unsynced = acks === all ? pass.unsynced() : []
  return unsynced.length === 0 ? pass.response() : awaitAll(pass, unsynced, timeoutMs)
}

/**
 * Produce: appends record batches. Each partition succeeds or fails on its own.
 * acks=1 is answered as soon as the records are in the log; acks=all when they are synced to disk (one sync for all who wait); acks=0 not at all.
 * Versions 0 to 2 are named in ApiVersions and not served: librdkafka before 2.11.1 sends uncompressed records otherwise (KAFKA-18659).
 */
export const produce = (options: ProduceOptions): Route =>
  route(Produce, { advertisedMin: 0, pipelined: true }, (request, { version }): Handled<typeof Produce> => answer(new Pass(options, request, version), request))
