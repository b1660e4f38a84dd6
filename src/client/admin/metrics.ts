import { Effect, Option } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { type Address, formatAddress } from "../../ports/transport.ts"
import { DescribeCluster, metricsTag } from "../../protocol/message/60-describe-cluster.ts"
import { type Client, expectNone } from "../cluster/client.ts"
import { type CallError, type NotAuthorized, UnsupportedByCluster } from "../error.ts"

/** One value of a metric of a node. docs/metrics.md says what each metric is. */
export interface MetricValue {
  readonly name: string
  /** Counters only rise while the node runs; gauges rise and fall. */
  readonly type: "counter" | "gauge"
  readonly help: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const unescape = (text: string): string => text.replace(/\\(["\\n])/g, (_, character: string) => (character === "n" ? "\n" : character))
const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/
const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g

const labelsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(text.matchAll(label), ([, name = "", value = ""]) => [name, unescape(value)]))

/** Reads Prometheus' text format as far as nodes write it: lines of any other form are left out. */
export const parseMetrics = (text: string): ReadonlyArray<MetricValue> => {
  const helps = new Map<string, string>()
  const counters = new Set<string>()
  return text.split("\n").flatMap((line): ReadonlyArray<MetricValue> => {
    const [, kind, about = "", rest = ""] = comment.exec(line) ?? []
    if (kind === "HELP") helps.set(about, unescape(rest))
    if (kind === "TYPE" && rest === "counter") counters.add(about)
    const [, name, labels = "", number] = sample.exec(line) ?? []
    if (name === undefined) return []
    const value = Number(number)
    return Number.isNaN(value) ? [] : [{ name, type: counters.has(name) ? "counter" : "gauge", help: helps.get(name) ?? "", labels: labelsOf(labels), value }]
  })
}

const utf8 = new TextDecoder()

/** The metrics of the node at `address`; none where the node does not know the request's tag. */
const metricsAt = (client: Client, address: Address): Effect.Effect<Option.Option<ReadonlyArray<MetricValue>>, CallError | NotAuthorized> =>
  Effect.gen(function* () {
    const request = { includeClusterAuthorizedOperations: false, unknownTags: [{ tag: metricsTag, data: new Uint8Array(0) }] }
    const { errorCode, errorMessage, unknownTags = [] } = yield* client.pool.call(address, DescribeCluster, request)
    yield* expectNone(kafkaError(errorCode), `The metrics of the node at ${formatAddress(address)}`, errorMessage)
    const tag = unknownTags.find((each) => each.tag === metricsTag)
    return Option.fromNullable(tag === undefined ? undefined : parseMetrics(utf8.decode(tag.data)))
  })

const keyOf = ({ labels, name }: MetricValue): string => JSON.stringify([name, Object.entries(labels).sort()])

/**
 * The metrics of all nodes that serve, each value with the label `node`; also of a leader that is not a broker, where
 * its address is among the bootstrap addresses. UnsupportedByCluster where no node has any.
 */
export const readMetrics = (client: Client): Effect.Effect<ReadonlyArray<MetricValue>, CallError | NotAuthorized> =>
  client.persistently(
    Effect.gen(function* () {
      const { nodes } = yield* client.metadata.refresh([])
      const named = [...nodes.values()].map(({ address }) => address)
      const known = new Set(named.map(formatAddress))
      const others = client.options.bootstrap.filter((address) => !known.has(formatAddress(address)))
      const ofNodes = yield* Effect.forEach(named, (address) => metricsAt(client, address), { concurrency: 8 })
      // A bootstrap address may belong to a node that is in the metadata, or to none.
      const ofOthers = yield* Effect.forEach(others, (address) => Effect.orElseSucceed(metricsAt(client, address), Option.none), { concurrency: 8 })
      const responses = [...ofNodes, ...ofOthers].filter(Option.isSome)
      if (responses.length === 0) return yield* new UnsupportedByCluster({ what: "metrics over its protocol" })
      const values = new Map(responses.flatMap(({ value }) => value.map((each) => [keyOf(each), each] as const)))
      return [...values.values()].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
    })
  )
