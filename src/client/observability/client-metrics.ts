import { type Clock, Effect, Metric, MetricBoundaries, MetricKey, MetricLabel } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { Produce } from "../../protocol/message/00-produce.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import { JoinGroup } from "../../protocol/message/11-join-group.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { CallFault } from "../../wire/fault.ts"
import type { Link } from "../../wire/link.ts"
import { responseErrors } from "../../wire/metrics/response-errors.ts"
import { batchCounts } from "./batch-counts.ts"

/** Labels of topics, partitions and groups that one client makes, at most: further ones are not counted. */
const labelsMax = 1000

/** Seconds: from a request within one machine to one that waits for its timeout. */
const boundaries = MetricBoundaries.fromIterable([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])

const counter = (name: string, description: string) => MetricKey.counter(name, { description, incremental: true })
const keys = {
  requests: counter("franz_client_requests_total", "Requests with a response."),
  seconds: MetricKey.histogram("franz_client_request_seconds", boundaries, "Time from a request to its response."),
  errors: counter("franz_client_request_errors_total", "Error codes of responses, and requests without a response."),
  sentRecords: counter("franz_client_sent_records_total", "Records in requests that had a response."),
  sentBytes: counter("franz_client_sent_record_bytes_total", "Bytes of record batches in requests that had a response."),
  receivedRecords: counter("franz_client_received_records_total", "Records that were fetched."),
  receivedBytes: counter("franz_client_received_record_bytes_total", "Bytes of record batches that were fetched."),
  lag: MetricKey.gauge("franz_client_lag_records", { description: "Records after the last one that was fetched." }),
  rebalances: counter("franz_client_rebalances_total", "Joins of a group that have led to a new generation."),
  connections: counter("franz_client_connections_total", "Connections that were opened."),
  refused: counter("franz_client_connection_errors_total", "Attempts to connect that failed.")
}
type Name = keyof typeof keys
type Labels = Readonly<Record<string, string>>
/** What is updated: the input of a counter, a gauge and a histogram of this file is a number. */
interface Instrument {
  readonly unsafeUpdate: (input: number, tags: ReadonlyArray<never>) => void
}

const none: Instrument = { unsafeUpdate: () => {} }
interface ApiInstruments {
  readonly requests: Instrument
  readonly seconds: Instrument
  readonly errors: ReturnType<typeof responseErrors>
}
interface TopicInstruments {
  readonly name: string
  readonly sentRecords: Instrument
  readonly sentBytes: Instrument
  readonly receivedRecords: Instrument
  readonly receivedBytes: Instrument
  /** By the index of the partition. */
  readonly lags: Array<Instrument | undefined>
}

/**
 * The metrics of one client, as Effect `Metric`s with the label `client_id`. They are updated in plain code, once for
 * each request: an effect for each record would cost more than the record.
 */
export class ClientMetrics {
  private labels = 0
  private readonly apis: Array<ApiInstruments | undefined> = []
  private readonly topics = new Map<string, TopicInstruments>()
  private readonly others = new Map<string, Instrument>()
  /** The name of a topic by its id, as far as the client knows. */
  private topicName: (id: string) => string | undefined = () => undefined

  constructor(
    private readonly clientId: string,
    private readonly clock: Clock.Clock
  ) {}

  /** Responses name topics by their ids. */
  nameTopics(nameOf: (id: string) => string | undefined): void {
    this.topicName = nameOf
  }
  connected(): void {
    this.other("connections", {}).unsafeUpdate(1, [])
  }
  refused(error: { readonly _tag: string }): void {
    this.other("refused", { error: error._tag }).unsafeUpdate(1, [])
  }

  /** Returns the link with all its calls counted. */
  measured(link: Link): Link {
    const call = <A extends AnyApi>(api: A, request: RequestDraft<A>, own?: Parameters<Link["call"]>[2]): Effect.Effect<ResponseOf<A>, CallFault> =>
      Effect.suspend(() => {
        const startedAt = this.clock.unsafeCurrentTimeNanos()
        return Effect.mapBoth(link.call(api, request, own), {
          onFailure: (fault) => {
            this.other("errors", { api: api.name, error: fault._tag }).unsafeUpdate(1, [])
            return fault
          },
          onSuccess: (response) => {
            this.ended(api, request, response, Number(this.clock.unsafeCurrentTimeNanos() - startedAt) / 1e9)
            return response
          }
        })
      })
    return { ...link, call }
  }

  private ended(api: AnyApi, request: unknown, response: unknown, seconds: number): void {
    const { errors, requests, seconds: times } = this.ofApi(api)
    requests.unsafeUpdate(1, [])
    times.unsafeUpdate(seconds, [])
    errors(response, (code) => this.other("errors", { api: api.name, error: kafkaError(code) }).unsafeUpdate(1, []))
    if (api.key === Produce.key) this.produced(request as RequestDraft<typeof Produce>)
    else if (api.key === Fetch.key) this.fetched(response as ResponseOf<typeof Fetch>)
    else if (api.key === JoinGroup.key) this.joined(request as RequestDraft<typeof JoinGroup>, response as ResponseOf<typeof JoinGroup>)
  }

  private produced({ topicData }: RequestDraft<typeof Produce>): void {
    for (const { name, partitionData, topicId } of topicData) {
      const topic = this.ofTopic(name, topicId)
      for (const { records } of partitionData) {
        if (!(records instanceof Uint8Array)) continue
        topic.sentBytes.unsafeUpdate(records.length, [])
        topic.sentRecords.unsafeUpdate(batchCounts(records).records, [])
      }
    }
  }
  private fetched({ responses }: ResponseOf<typeof Fetch>): void {
    for (const { partitions, topic: name, topicId } of responses) {
      const topic = this.ofTopic(name, topicId)
      for (const { errorCode, highWatermark, partitionIndex, records } of partitions) {
        if (errorCode !== 0) continue
        const { nextOffset, records: count } = batchCounts(records ?? undefined)
        if (count > 0) {
          topic.receivedBytes.unsafeUpdate(records?.length ?? 0, [])
          topic.receivedRecords.unsafeUpdate(count, [])
        }
        let lag = topic.lags[partitionIndex]
        if (lag === undefined) {
          lag = this.make("lag", { topic: topic.name, partition: String(partitionIndex) })
          topic.lags[partitionIndex] = lag
        }
        // A response without records is one from the end of the partition.
        lag.unsafeUpdate(nextOffset === undefined ? 0 : Math.max(0, Number(highWatermark) - nextOffset), [])
      }
    }
  }
  private joined({ groupId }: RequestDraft<typeof JoinGroup>, { errorCode }: ResponseOf<typeof JoinGroup>): void {
    if (errorCode === 0) this.other("rebalances", { group: groupId }).unsafeUpdate(1, [])
  }

  private ofApi(api: AnyApi): ApiInstruments {
    const known = this.apis[api.key]
    if (known !== undefined) return known
    const of = { api: api.name }
    const made = { requests: this.make("requests", of), seconds: this.make("seconds", of), errors: responseErrors(api) }
    this.apis[api.key] = made
    return made
  }
  private ofTopic(given: string | undefined, id: string | undefined): TopicInstruments {
    const named = given !== undefined && given !== "" ? given : this.topicName(id ?? "")
    const name = named ?? id ?? ""
    const known = this.topics.get(name)
    if (known !== undefined) return known
    const of = { topic: name }
    const made: TopicInstruments = {
      name,
      sentRecords: this.make("sentRecords", of),
      sentBytes: this.make("sentBytes", of),
      receivedRecords: this.make("receivedRecords", of),
      receivedBytes: this.make("receivedBytes", of),
      lags: []
    }
    if (this.labels < labelsMax) this.topics.set(name, made)
    return made
  }
  private other(name: Name, labels: Labels): Instrument {
    const key = `${name} ${Object.values(labels).join(" ")}`
    const known = this.others.get(key)
    if (known !== undefined) return known
    const made = this.make(name, labels)
    if (made !== none) this.others.set(key, made)
    return made
  }
  private make(name: Name, labels: Labels): Instrument {
    if (this.labels >= labelsMax) return none
    this.labels += 1
    const tags = Object.entries({ client_id: this.clientId, ...labels }).map(([label, value]) => MetricLabel.make(label, value))
    // All labels are in the key: a metric that is tagged in layers looks its state up at each update, which takes 2 µs.
    return Metric.fromMetricKey(MetricKey.taggedWithLabels(keys[name] as MetricKey.MetricKey.Counter<number>, tags))
  }
}
