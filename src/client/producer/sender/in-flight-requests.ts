import { type Clock, Effect } from "effect"
import type { Encoding } from "../../../../domain/log/record.ts"
import { Produce } from "../../../protocol/message/00-produce.ts"
import type { Link } from "../../../wire/link.ts"
import type { Client } from "../../cluster/client.ts"
import { callError } from "../../connection/pool.ts"
import { NotReachable, UnsupportedByCluster } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { isLeadership, type RetryKind, retryDelayMs } from "../../runtime/retry.ts"
import { defectOf, reportDefect } from "../../runtime/supervision.ts"
import type { OutgoingBatch } from "../accumulator/batch.ts"
import type { SendError } from "../accumulator/delivery.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"
import type { Sending } from "../accumulator/settings.ts"
import { judge, sendError } from "./batch-outcome.ts"
import type { Settlements } from "./delivery-reports.ts"
import { answersOf, bytesOf, errorOf, type Parcel, type PartitionAnswer, type ProduceCall, produceCall } from "./produce-request.ts"
import type { Places } from "./ready-nodes.ts"

const encoder = "encoder of batches"
const sender = "producer's request"

/**
 * The records for which the broker refused the batch, by index, with its words (KIP-467). The others are as good as they were, and nothing of the batch is stored. None where
 * the broker does not say, where all are wrong, or where an attempt before may have stored them.
 */
const wrongRecords = (batch: OutgoingBatch, { recordErrors }: PartitionAnswer): ReadonlyMap<number, string | null> => {
  const wrong = new Map(recordErrors.map(({ batchIndex, batchIndexErrorMessage }) => [batchIndex, batchIndexErrorMessage]))
  const isUsable = !batch.maybeStored && wrong.size < batch.waiting.length && [...wrong.keys()].every((at) => at >= 0 && at < batch.waiting.length)
  return isUsable ? wrong : new Map()
}

interface CourierParts {
  readonly client: Client
  readonly sending: Sending
  readonly encoding: Encoding
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** Takes one request to its node, and puts into practice what the answer means for each batch. */
export class Courier {
  constructor(
    private readonly parts: CourierParts,
    private readonly settlements: Settlements,
    private readonly places: Places,
    /** The request is over, whatever came of it. */
    private readonly returned: (node: NodeView, queues: ReadonlyArray<PartitionQueue>) => void
  ) {}

  /** Begins at once, in this turn: the order of these calls is the order on the connection. */
  carry(node: NodeView, parcels: ReadonlyArray<Parcel>): void {
    const back = Effect.sync(() =>
      this.returned(
        node,
        parcels.map(({ queue }) => queue)
      )
    )
    const delivery = Effect.catchAllDefect(
      Effect.suspend(() => this.deliver(node, this.encoded(parcels))),
      (defect) => this.failed(parcels, defect)
    )
    this.parts.fork(Effect.ensuring(delivery, back))
  }

  /** Makes the bytes of every batch. One that cannot be encoded fails alone. */
  private encoded(parcels: ReadonlyArray<Parcel>): ReadonlyArray<Parcel> {
    return parcels.filter(({ batch, queue }) => {
      try {
        bytesOf(batch, this.parts.sending.compression, this.parts.encoding)
        return true
      } catch (defect) {
        this.parts.fork(reportDefect(encoder, defect))
        this.settlements.giveUp(queue, batch, defectOf(encoder, defect))
        return false
      }
    })
  }
  /** A defect on the way: whether the batches were sent is not known. */
  private failed(parcels: ReadonlyArray<Parcel>, defect: unknown): Effect.Effect<void> {
    for (const { batch, queue } of parcels) if (queue.inFlight.includes(batch)) this.settlements.lose(queue, batch, defectOf(sender, defect).message)
    return reportDefect(sender, defect)
  }

  private deliver(node: NodeView, parcels: ReadonlyArray<Parcel>): Effect.Effect<void> {
    if (parcels.length === 0) return Effect.void
    const { client, encoding, sending } = this.parts
    const link = client.pool.ready(node.address, "main")
    const highest = link?.versionOf(Produce)
    if (link === undefined) {
      const error = new NotReachable({ addresses: [`${node.address.host}:${node.address.port}`], reason: "the connection was closed" })
      return Effect.sync(() => this.allAgain(parcels, false, error))
    }
    if (highest === undefined) {
      return Effect.sync(() => {
        for (const { batch, queue } of parcels) this.settlements.giveUp(queue, batch, new UnsupportedByCluster({ what: "Produce" }))
      })
    }
    const settings = { acks: sending.acks, timeoutMs: sending.requestTimeoutMs, compression: sending.compression }
    const call = produceCall(parcels, client.metadata.view(), highest, settings, encoding)
    return sending.acks === 0 ? this.throwOver(link, node, call, parcels) : this.handOver(link, node, call, parcels)
  }

  /** acks=0: written is all that will ever be known. */
  private throwOver(link: Link, node: NodeView, { request, version }: ProduceCall, parcels: ReadonlyArray<Parcel>): Effect.Effect<void> {
    return Effect.match(link.send(Produce, request, { version }), {
      onSuccess: () => {
        for (const { batch, queue } of parcels) this.settlements.stored(queue, batch, -1, -1)
      },
      onFailure: (fault) => this.allAgain(parcels, true, callError(fault, "Produce", node.address, this.parts.client.options))
    })
  }

  private handOver(link: Link, node: NodeView, { request, version }: ProduceCall, parcels: ReadonlyArray<Parcel>): Effect.Effect<void> {
    return Effect.match(link.call(Produce, request, { version, timeoutMs: this.parts.sending.requestTimeoutMs }), {
      onSuccess: (response) => {
        const answers = answersOf(response, request, parcels)
        for (const [index, parcel] of parcels.entries()) this.settle(parcel, answers[index])
      },
      onFailure: (fault) => this.allAgain(parcels, fault._tag !== "UnsupportedByPeer", callError(fault, "Produce", node.address, this.parts.client.options))
    })
  }

  /** There was no answer. */
  private allAgain(parcels: ReadonlyArray<Parcel>, maybeStored: boolean, error: SendError): void {
    for (const parcel of parcels) {
      this.places.doubt(parcel.queue.topic)
      this.again(parcel, "connection", maybeStored, error)
    }
  }

  private settle(parcel: Parcel, answer: PartitionAnswer | undefined): void {
    const { batch, queue } = parcel
    // The producer may have been closed, and the batch given up, while the answer was on its way.
    if (!queue.inFlight.includes(batch)) return
    if (answer === undefined) {
      const error = new NotReachable({ addresses: [queue.topic], reason: "the broker's answer does not speak of this partition" })
      return this.again(parcel, "load", true, error)
    }
    const error = errorOf(answer)
    if (isLeadership(error)) this.places.doubt(queue.topic)
    const judged = {
      topic: queue.topic,
      partition: queue.partition,
      records: batch.waiting.length,
      sizeBytes: batch.sizeBytes,
      idempotent: batch.baseSequence >= 0,
      hasEarlier: queue.hasEarlier(batch)
    }
    const verdict = judge(error, answer.errorMessage, judged)
    switch (verdict._tag) {
      case "Stored":
        return answer.baseOffset >= 0n
          ? this.settlements.stored(queue, batch, Number(answer.baseOffset), Number(answer.logAppendTimeMs))
          : this.settlements.misplaced(queue, batch, "the broker confirmed it without an offset.")
      case "StoredSomewhere":
        return this.settlements.misplaced(queue, batch, "the broker has it from an earlier attempt, and no longer knows its offset.")
      case "Again":
        return this.again(parcel, verdict.kind, verdict.maybeStored, verdict.last)
      case "NewEpoch":
        if (batch.maybeStored) return this.settlements.giveUp(queue, batch, verdict.last)
        queue.demandNewEpoch()
        return this.again(parcel, "leadership", false, verdict.last)
      case "Split":
        // Halves of what an earlier attempt may have stored as a whole would not be known as repetitions.
        if (batch.maybeStored) return this.settlements.lose(queue, batch, "an attempt before was not answered, and now the broker finds the batch too large.")
        return this.settlements.replace(batch, queue.split(batch))
      case "Failed": {
        const wrong = wrongRecords(batch, answer)
        if (wrong.size === 0) return this.settlements.giveUp(queue, batch, verdict.error)
        const refused = batch.remove((at) => wrong.has(at))
        for (const { at, waiting } of refused) this.settlements.refuse(waiting, sendError(error, judged, wrong.get(at) ?? answer.errorMessage))
        // The sequence counted them: what is left goes out under the next epoch.
        if (judged.idempotent) queue.demandNewEpoch()
        return this.again(parcel, "leadership", false, verdict.error)
      }
    }
  }

  private again({ batch, queue }: Parcel, kind: RetryKind, maybeStored: boolean, error: SendError): void {
    if (!queue.inFlight.includes(batch)) return
    batch.maybeStored ||= maybeStored
    batch.attempts += 1
    batch.lastError = error
    const now = monotonicMs(this.parts.clock)
    const delayMs = retryDelayMs(kind, queue.failures + 1, this.parts.client.dice.next())
    if (now + delayMs >= batch.deadline) return this.settlements.giveUp(queue, batch, error)
    queue.postpone(batch, now + delayMs)
  }
}
