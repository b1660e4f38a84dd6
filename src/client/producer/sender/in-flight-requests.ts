import { type Clock, Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import type { Encoding } from "../../../../domain/log/record.ts"
import { Checksum } from "../../../ports/checksum.ts"
import { Compression } from "../../../ports/compression.ts"
import { Produce } from "../../../protocol/message/00-produce.ts"
import type { Link } from "../../../wire/link.ts"
import { type Client, ClusterClient } from "../../cluster/client.ts"
import { callError } from "../../connection/pool.ts"
import { NotReachable, UnsupportedByCluster } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { BackgroundFibers } from "../../runtime/background-fibers.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { isLeadership, type RetryKind, retryDelayMs } from "../../runtime/retry.ts"
import { defectOf, reportDefect } from "../../runtime/supervision.ts"
import type { ProduceBatch } from "../accumulator/batch.ts"
import type { SendError } from "../accumulator/delivery.ts"
import { ProducerConfig, type ProducerSettings } from "../accumulator/settings.ts"
import { outcomeOf, type SentBatch, sendErrorOf } from "./batch-outcome.ts"
import type { DeliveryReports } from "./delivery-reports.ts"
import {
  bytesOf,
  type InFlightBatch,
  type PartitionProduceResponse,
  produceRequest,
  responsesByBatch,
  type VersionedProduceRequest
} from "./produce-request.ts"
import type { ReadyNodes } from "./ready-nodes.ts"

const encoder = "encoder of batches"
const requestPart = "producer's request"

/**
 * Returns the records for which the broker refused the batch, by index, with its messages (KIP-467). The others are
 * valid, and nothing of the batch is stored. Empty where the broker names no records, where it names all, or where an
 * earlier attempt may have stored the batch.
 */
const refusedRecords = (batch: ProduceBatch, { recordErrors }: PartitionProduceResponse): ReadonlyMap<number, string | null> => {
  const refused = new Map(recordErrors.map(({ batchIndex, batchIndexErrorMessage }) => [batchIndex, batchIndexErrorMessage]))
  const isUsable = !batch.maybeStored && refused.size < batch.records.length && [...refused.keys()].every((index) => index >= 0 && index < batch.records.length)
  return isUsable ? refused : new Map()
}

interface Services {
  readonly client: Client
  readonly settings: ProducerSettings
  readonly encoding: Encoding
  readonly clock: Clock.Clock
  readonly fibers: BackgroundFibers["Type"]
}

/** The request has ended, with a response or without one. */
type OnEnded = (node: NodeView, batches: ReadonlyArray<InFlightBatch>) => void

/** Sends Produce requests to their nodes, one fiber for each, and does with each batch what the response says. */
export class InFlightRequests {
  static readonly make = (reports: DeliveryReports, nodes: ReadyNodes, onEnded: OnEnded) =>
    Effect.gen(function* () {
      const { crc32c } = yield* Checksum
      const { compress } = yield* Compression
      const services: Services = {
        client: yield* ClusterClient,
        settings: yield* ProducerConfig,
        encoding: { crc32c, compress },
        clock: yield* Effect.clock,
        fibers: yield* BackgroundFibers
      }
      return new InFlightRequests(services, reports, nodes, onEnded)
    })

  private constructor(
    private readonly services: Services,
    private readonly reports: DeliveryReports,
    private readonly nodes: ReadyNodes,
    private readonly onEnded: OnEnded
  ) {}

  /** Sends the request in this turn of the event loop: the order of the calls is the order on the connection. */
  send(node: NodeView, batches: ReadonlyArray<InFlightBatch>): void {
    const delivery = Effect.catchAllDefect(
      Effect.suspend(() => this.deliver(node, this.encoded(batches))),
      (defect) => this.failed(batches, defect)
    )
    this.services.fibers.run(
      Effect.ensuring(
        delivery,
        Effect.sync(() => this.onEnded(node, batches))
      )
    )
  }

  /** Encodes the batches. One that cannot be encoded fails alone. */
  private encoded(batches: ReadonlyArray<InFlightBatch>): ReadonlyArray<InFlightBatch> {
    const { encoding, fibers, settings } = this.services
    return batches.filter(({ batch, queue }) => {
      try {
        bytesOf(batch, settings.compression, encoding)
        return true
      } catch (defect) {
        fibers.run(reportDefect(encoder, defect))
        this.reports.giveUp(queue, batch, defectOf(encoder, defect))
        return false
      }
    })
  }
  /** A defect while the request was sent: whether the batches were sent is not known. */
  private failed(batches: ReadonlyArray<InFlightBatch>, defect: unknown): Effect.Effect<void> {
    for (const { batch, queue } of batches) if (queue.inFlight.includes(batch)) this.reports.giveUpUnknown(queue, batch, defectOf(requestPart, defect).message)
    return reportDefect(requestPart, defect)
  }

  private deliver(node: NodeView, batches: ReadonlyArray<InFlightBatch>): Effect.Effect<void> {
    if (batches.length === 0) return Effect.void
    const { client, encoding, settings } = this.services
    const link = client.pool.ready(node.address, "main")
    const versionMax = link?.versionOf(Produce)
    if (link === undefined) {
      const error = new NotReachable({ addresses: [`${node.address.host}:${node.address.port}`], reason: "the connection was closed" })
      return Effect.sync(() => this.retryAll(batches, false, error))
    }
    if (versionMax === undefined) {
      return Effect.sync(() => {
        for (const { batch, queue } of batches) this.reports.giveUp(queue, batch, new UnsupportedByCluster({ what: "Produce" }))
      })
    }
    const request = produceRequest(batches, client.metadata.view(), versionMax, settings, encoding)
    return settings.acks === 0 ? this.sendWithoutResponse(link, node, request, batches) : this.call(link, node, request, batches)
  }

  /** acks=0: the broker does not respond, so a message that was written to the socket is reported as sent. */
  private sendWithoutResponse(link: Link, node: NodeView, { request, version }: VersionedProduceRequest, batches: ReadonlyArray<InFlightBatch>) {
    return Effect.match(link.send(Produce, request, { version }), {
      onSuccess: () => {
        for (const { batch, queue } of batches) this.reports.stored(queue, batch, -1, -1)
      },
      onFailure: (fault) => this.retryAll(batches, true, callError(fault, "Produce", node.address, this.services.client.options))
    })
  }

  private call(link: Link, node: NodeView, { request, version }: VersionedProduceRequest, batches: ReadonlyArray<InFlightBatch>) {
    const { client, settings } = this.services
    return Effect.match(link.call(Produce, request, { version, timeoutMs: settings.requestTimeoutMs }), {
      onSuccess: (response) => {
        const responses = responsesByBatch(response, request, batches)
        for (const [index, batch] of batches.entries()) this.receive(batch, responses[index])
      },
      onFailure: (fault) => this.retryAll(batches, fault._tag !== "UnsupportedByPeer", callError(fault, "Produce", node.address, client.options))
    })
  }

  /** There was no response. */
  private retryAll(batches: ReadonlyArray<InFlightBatch>, maybeStored: boolean, error: SendError): void {
    for (const inFlight of batches) {
      this.nodes.markStale(inFlight.queue.topic)
      this.retry(inFlight, "connection", maybeStored, error)
    }
  }

  private receive(inFlight: InFlightBatch, response: PartitionProduceResponse | undefined): void {
    const { batch, queue } = inFlight
    // The batch was given up while the request was in flight: at its deadline, or when the producer was closed.
    if (!queue.inFlight.includes(batch)) return
    if (response === undefined) {
      const error = new NotReachable({ addresses: [queue.topic], reason: `the broker's response does not name partition ${queue.partition}` })
      return this.retry(inFlight, "load", true, error)
    }
    const error = kafkaError(response.errorCode)
    if (isLeadership(error)) this.nodes.markStale(queue.topic)
    const sent: SentBatch = {
      topic: queue.topic,
      partition: queue.partition,
      records: batch.records.length,
      sizeBytes: batch.sizeBytes,
      idempotent: batch.baseSequence >= 0,
      hasEarlier: queue.hasEarlier(batch)
    }
    const outcome = outcomeOf(error, response.errorMessage, sent)
    switch (outcome._tag) {
      case "Stored":
        return response.baseOffset >= 0n
          ? this.reports.stored(queue, batch, Number(response.baseOffset), Number(response.logAppendTimeMs))
          : this.reports.storedWithoutOffset(queue, batch, "the broker confirmed it without an offset.")
      case "StoredWithoutOffset":
        return this.reports.storedWithoutOffset(queue, batch, "the broker stored it in an earlier attempt, and has forgotten its offset.")
      case "Retry":
        return this.retry(inFlight, outcome.kind, outcome.maybeStored, outcome.last)
      case "BumpEpoch":
        if (batch.maybeStored) return this.reports.giveUp(queue, batch, outcome.last)
        queue.bumpEpoch()
        return this.retry(inFlight, "leadership", false, outcome.last)
      case "Split":
        // The broker would not recognise the halves of a batch that it stored in an earlier attempt.
        if (batch.maybeStored) return this.reports.giveUpUnknown(queue, batch, "an earlier attempt had no response, and the broker finds the batch too large.")
        return this.reports.replace(queue, batch, queue.split(batch))
      case "Failed":
        return this.refuse(inFlight, response, sent, outcome.error)
    }
  }

  /** The broker refused the batch: for some of its records, or as a whole. */
  private refuse(inFlight: InFlightBatch, response: PartitionProduceResponse, sent: SentBatch, error: SendError): void {
    const { batch, queue } = inFlight
    const refused = refusedRecords(batch, response)
    if (refused.size === 0) return this.reports.giveUp(queue, batch, error)
    const code = kafkaError(response.errorCode)
    for (const { index, pending } of batch.remove((at) => refused.has(at)))
      this.reports.refuse(pending, sendErrorOf(code, sent, refused.get(index) ?? response.errorMessage))
    // The sequence counted the refused records, so the others are sent under the next epoch.
    if (sent.idempotent) queue.bumpEpoch()
    this.retry(inFlight, "leadership", false, error)
  }

  private retry({ batch, queue }: InFlightBatch, kind: RetryKind, maybeStored: boolean, error: SendError): void {
    if (!queue.inFlight.includes(batch)) return
    batch.maybeStored ||= maybeStored
    batch.attempts += 1
    batch.lastError = error
    const now = monotonicMs(this.services.clock)
    const delayMs = retryDelayMs(kind, queue.failures + 1, this.services.client.random.next())
    if (now + delayMs >= batch.deadline) return this.reports.giveUp(queue, batch, error)
    queue.postpone(batch, now + delayMs)
  }
}
