import { anyCase, bools, family, ints, lists, longs, texts } from "./known/family.ts"
import { isNodeSetting, type NodeConfig, nodeSetting, type SettingName } from "./node.ts"
import type { AnySetting } from "./setting.ts"

/** What has settings besides nodes and topics: a group, or a subscription to the metrics of clients (KIP-714). */
export type ResourceKind = "group" | "client-metrics"

/** A setting of a resource, and the node setting whose value it has where it is absent. */
interface ResourceSetting {
  readonly setting: AnySetting
  readonly base: SettingName | undefined
}

const groupDoc = "Of a group of a newer kind. It has no effect here: groups are classic ones (docs/skipped.md)."
const group = family(groupDoc, {
  "consumer.assignment.interval.ms": ints(1000, 0),
  "consumer.assignor.offload.enable": bools(true),
  "consumer.heartbeat.interval.ms": ints(5000, 1),
  "consumer.session.timeout.ms": ints(45_000, 1),
  "errors.deadletterqueue.copy.record.enable": bools(false),
  "errors.deadletterqueue.topic.name": texts(""),
  "share.assignment.interval.ms": ints(1000, 0),
  "share.assignor.offload.enable": bools(true),
  "share.auto.offset.reset": {
    ...texts("latest"),
    form: {
      pattern: /^(latest|earliest|by_duration:P(?=[\dT])(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?)$/i,
      expected: "latest, earliest, or by_duration:PnDTnHnMn.nS"
    }
  },
  "share.delivery.count.limit": ints(5, 2),
  "share.heartbeat.interval.ms": ints(5000, 1),
  "share.isolation.level": anyCase(texts("read_uncommitted"), ["read_committed", "read_uncommitted"]),
  "share.partition.max.record.locks": ints(2000, 100),
  "share.record.lock.duration.ms": ints(30_000, 1000),
  "share.renew.acknowledge.enable": bools(true),
  "share.session.timeout.ms": ints(45_000, 1),
  "streams.acceptable.recovery.lag": longs(10_000, 0),
  "streams.assignment.interval.ms": ints(1000, 0),
  "streams.assignor.offload.enable": bools(true),
  "streams.heartbeat.interval.ms": ints(5000, 1),
  "streams.initial.rebalance.delay.ms": ints(3000, 0),
  "streams.num.standby.replicas": ints(0, 0),
  "streams.num.warmup.replicas": ints(2, 0),
  "streams.session.timeout.ms": ints(45_000, 1),
  "streams.task.offset.interval.ms": ints(60_000, 1)
})

const matched = "client_instance_id|client_id|client_software_name|client_software_version|client_source_address|client_source_port"
const clientMetrics = family("Of a subscription to metrics of clients. It has no effect here: none are collected (docs/skipped.md).", {
  "interval.ms": ints(300_000, 100, 3_600_000),
  match: {
    ...lists(""),
    form: { pattern: new RegExp(`^((${matched})=[^,]+(,(${matched})=[^,]+)*)?$`), expected: "a list of NAME=PATTERN, e.g. client_id=.*" }
  },
  metrics: lists("")
})

const baseOf = (name: string): SettingName | undefined => (isNodeSetting(`group.${name}`) ? (`group.${name}` as SettingName) : undefined)
const tables: Readonly<Record<ResourceKind, ReadonlyMap<string, ResourceSetting>>> = {
  group: new Map(Object.entries(group).map(([name, setting]) => [name, { setting, base: baseOf(name) }])),
  "client-metrics": new Map(Object.entries(clientMetrics).map(([name, setting]) => [name, { setting, base: undefined }]))
}

/** The settings of one kind of thing, by Kafka's names. */
export const resourceSettings = (kind: ResourceKind): ReadonlyMap<string, ResourceSetting> => tables[kind]

type Numbers = Readonly<Record<string, number>>
/**
 * `consumer.session.timeout.ms` must be from `group.consumer.min.session.timeout.ms` to
 * `group.consumer.max.session.timeout.ms`.
 */
const boundOf = (node: NodeConfig, name: string, end: "min" | "max"): readonly [string, number] | undefined => {
  const [kind = "", ...rest] = name.split(".")
  const bound = `group.${kind}.${end}.${rest.filter((word) => word !== "num").join(".")}`
  return isNodeSetting(bound) && typeof nodeSetting(bound).default === "number" ? [bound, node[bound] as number] : undefined
}
const outOfBounds = (node: NodeConfig, own: Numbers): string | undefined => {
  for (const [name, value] of Object.entries(own)) {
    const least = boundOf(node, name, "min")
    if (least !== undefined && value < least[1]) return `${name}=${value}: it must be greater than or equal to ${least[0]}, which is ${least[1]}.`
    const most = boundOf(node, name, "max")
    if (most !== undefined && value > most[1]) return `${name}=${value}: it must be less than or equal to ${most[0]}, which is ${most[1]}.`
  }
  return undefined
}

/**
 * What speaks against the settings of a group together, each of which was found right: bounds that the node has, and a
 * session that ends before the second heartbeat.
 */
export const groupConflict = (node: NodeConfig, configs: Readonly<Record<string, string>>): string | undefined => {
  const own = Object.fromEntries(
    Object.entries(configs).flatMap(([name, text]) => (typeof tables.group.get(name)?.setting.default === "number" ? [[name, Number(text)] as const] : []))
  )
  const bounds = outOfBounds(node, own)
  if (bounds !== undefined) return bounds
  for (const kind of ["consumer", "share", "streams"] as const) {
    const [session, heartbeat] = [`${kind}.session.timeout.ms`, `${kind}.heartbeat.interval.ms`] as const
    if (!(session in own) && !(heartbeat in own)) continue
    const [timeout, interval] = [own[session] ?? node[`group.${session}`], own[heartbeat] ?? node[`group.${heartbeat}`]]
    if (timeout <= interval) return `${session}=${timeout}: it must be greater than ${heartbeat}, which is ${interval}.`
  }
  return undefined
}
