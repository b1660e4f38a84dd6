import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { DescribeConfigs } from "../../../protocol/message/32-describe-configs.ts"
import { IncrementalAlterConfigs } from "../../../protocol/message/44-incremental-alter-configs.ts"
import { ListConfigResources } from "../../../protocol/message/74-list-config-resources.ts"
import { type Check, type Fields, fields, listOf, oneOf, optional, settings, text, timeoutMs, yesOrNo } from "../../argument/check.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { InvalidArgument } from "../../error.ts"
import { adminOptions, changeOptions, checked, itemsOf } from "./arguments.ts"
import { type AdminOptions, atNodes, type ChangeOptions, type ItemError, type ItemResults, missing, once, perItem, resultOf } from "./items.ts"

/** The kinds of resources with settings, by their numbers in the protocol. */
const types = { topic: 2, broker: 4, "broker-logger": 8, "client-metrics": 16, group: 32 } as const
export type ConfigResourceType = keyof typeof types
/** What has settings. The name of a broker is its id; "" means all brokers. */
export interface ConfigResource {
  readonly type: ConfigResourceType
  readonly name: string
}
export interface ConfigsToDescribe extends ConfigResource {
  /** The settings that are asked for. Default: all. */
  readonly keys?: ReadonlyArray<string>
}
export interface ConfigsToAlter extends ConfigResource {
  readonly set?: Readonly<Record<string, string>>
  /** These settings get the value of the level above, or the default. */
  readonly unset?: ReadonlyArray<string>
  /** Values to add to settings that are lists, and to take away from them. */
  readonly append?: Readonly<Record<string, string>>
  readonly subtract?: Readonly<Record<string, string>>
}
export interface DescribeConfigsOptions extends AdminOptions {
  /** Also the values of the levels below that are in effect when this one is unset. Default false. */
  readonly synonyms?: boolean
  /** Also the documentation of each setting. Default false. */
  readonly documentation?: boolean
}

/** The source of a value, at the index of its number in DescribeConfigs. */
const sources = ["unknown", "topic", "broker", "all-brokers", "file", "default", "broker-logger", "client-metrics", "group"] as const
export type ConfigValueSource = (typeof sources)[number]
/** The type of a setting, at the index of its number in DescribeConfigs. */
const valueTypes = ["unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password"] as const

export interface ConfigValue {
  readonly name: string
  /** Null: the cluster does not show the value (a secret). */
  readonly value: string | null
  readonly source: ConfigValueSource
  readonly readOnly: boolean
  readonly sensitive: boolean
  readonly type: (typeof valueTypes)[number]
  /** Null unless `documentation` is set. */
  readonly documentation: string | null
  /** Empty unless `synonyms` is set. */
  readonly synonyms: ReadonlyArray<{ readonly name: string; readonly value: string | null; readonly source: ConfigValueSource }>
}

export interface ConfigsAdmin {
  /** The settings of topics, brokers, loggers, groups and client metrics. Those of a broker come from that broker. */
  readonly describeConfigs: (
    resources: ReadonlyArray<ConfigsToDescribe>,
    options?: DescribeConfigsOptions
  ) => Effect.Effect<ItemResults<ConfigResource, ReadonlyArray<ConfigValue>>, InvalidArgument>
  /** Changes settings, of each resource all or none (KIP-339). */
  readonly alterConfigs: (changes: ReadonlyArray<ConfigsToAlter>, options?: ChangeOptions) => Effect.Effect<ItemResults<ConfigResource, void>, InvalidArgument>
  /** The resources that have settings of their own (KIP-1142). Default: of all types. */
  readonly listConfigResources: (
    types?: ReadonlyArray<ConfigResourceType>,
    options?: AdminOptions
  ) => Effect.Effect<ReadonlyArray<ConfigResource>, ItemError | InvalidArgument>
}

const type = oneOf(...Object.keys(types))
const resourceName: Check = (value, field) => (value === "" ? undefined : text(1000)(value, field))
const keys = optional(listOf(text(1000), "settings' names", 1))
const resourceKey = ({ name, type: kind }: ConfigResource): string => `${kind} ${name}`
const toDescribe = itemsOf(fields<ConfigsToDescribe>({ type, name: resourceName, keys }), "resources", resourceKey)
const alterFields: Fields<ConfigsToAlter> = {
  type,
  name: resourceName,
  set: optional(settings),
  unset: optional(listOf(text(1000), "settings' names")),
  append: optional(settings),
  subtract: optional(settings)
}
const toAlter = itemsOf(fields(alterFields), "changes", resourceKey)
const describeOptions: Check = optional(
  fields<DescribeConfigsOptions>({ timeoutMs: optional(timeoutMs), synonyms: optional(yesOrNo), documentation: optional(yesOrNo) })
)
const typeList = optional(listOf(type, "types of resources", 1))

/** The node that must be asked: settings of a broker are known to that broker, and its loggers are its own. */
const nodeOf = ({ name, type: kind }: ConfigResource): number | undefined =>
  (kind === "broker" || kind === "broker-logger") && /^\d{1,10}$/.test(name) ? Number(name) : undefined
const described = ({ name, type: kind }: ConfigResource): string => `${kind} '${name}'`

const configValue = (one: {
  readonly name: string
  readonly value: string | null
  readonly configSource: number
  readonly readOnly: boolean
  readonly isSensitive: boolean
  readonly configType: number
  readonly documentation: string | null
  readonly synonyms: ReadonlyArray<{ readonly name: string; readonly value: string | null; readonly source: number }>
}): ConfigValue => ({
  name: one.name,
  value: one.value,
  source: sources[one.configSource] ?? "unknown",
  readOnly: one.readOnly,
  sensitive: one.isSensitive,
  type: valueTypes[one.configType] ?? "unknown",
  documentation: one.documentation === "" ? null : one.documentation,
  synonyms: one.synonyms.map(({ name, source, value }) => ({ name, value, source: sources[source] ?? "unknown" }))
})

const describeConfigs = (client: Client, resources: ReadonlyArray<ConfigsToDescribe>, options: DescribeConfigsOptions | undefined) =>
  perItem(client, {
    what: "DescribeConfigs",
    items: resources,
    options,
    attempt: atNodes(client, nodeOf, (node, items: ReadonlyArray<ConfigsToDescribe>) => {
      const drafts = items.map((item) => ({
        resourceType: types[item.type],
        resourceName: item.name,
        configurationKeys: item.keys === undefined ? null : [...item.keys]
      }))
      const request = { resources: drafts, includeSynonyms: options?.synonyms ?? false, includeDocumentation: options?.documentation ?? false }
      const call = node === undefined ? client.callAny(DescribeConfigs, request) : client.callNode(node, DescribeConfigs, request)
      return Effect.map(call, ({ results }) =>
        items.map((item) => {
          const one = results.find((result) => result.resourceType === types[item.type] && result.resourceName === item.name)
          if (one === undefined) return missing(described(item))
          return resultOf(one.errorCode, `The settings of ${described(item)}`, one.errorMessage, one.configs.map(configValue))
        })
      )
    })
  })

/** The operations of IncrementalAlterConfigs. */
const operation = { set: 0, unset: 1, append: 2, subtract: 3 } as const
const drafts = ({ append = {}, set = {}, subtract = {}, unset = [] }: ConfigsToAlter) => {
  const of = (values: Readonly<Record<string, string>>, configOperation: number) =>
    Object.entries(values).map(([name, value]) => ({ name, value, configOperation }))
  const unsets = unset.map((name) => ({ name, value: null, configOperation: operation.unset }))
  return [...of(set, operation.set), ...unsets, ...of(append, operation.append), ...of(subtract, operation.subtract)]
}

const alterConfigs = (client: Client, changes: ReadonlyArray<ConfigsToAlter>, options: ChangeOptions | undefined) =>
  perItem(client, {
    what: "IncrementalAlterConfigs",
    isController: true,
    items: changes,
    options,
    attempt: atNodes(
      client,
      // A logger belongs to its broker; all other settings are the controller's.
      (item: ConfigsToAlter) => (item.type === "broker-logger" ? nodeOf(item) : undefined),
      (node, items) => {
        const request = {
          resources: items.map((item) => ({ resourceType: types[item.type], resourceName: item.name, configs: drafts(item) })),
          validateOnly: options?.validateOnly ?? false
        }
        const call = node === undefined ? client.callController(IncrementalAlterConfigs, request) : client.callNode(node, IncrementalAlterConfigs, request)
        return Effect.map(call, ({ responses }) =>
          items.map((item) => {
            const one = responses.find((result) => result.resourceType === types[item.type] && result.resourceName === item.name)
            return one === undefined ? missing(described(item)) : resultOf(one.errorCode, `The settings of ${described(item)}`, one.errorMessage, undefined)
          })
        )
      }
    )
  })

/** Version 0 lists client metrics alone. */
const allTypesVersion = 1
const typeNames = new Map<number, ConfigResourceType>(Object.entries(types).map(([name, number]) => [number, name as ConfigResourceType]))

const listConfigResources = (client: Client, wanted: ReadonlyArray<ConfigResourceType> | undefined, options: AdminOptions | undefined) => {
  const isMetrics = wanted?.length === 1 && wanted[0] === "client-metrics"
  const request = isMetrics ? {} : { resourceTypes: (wanted ?? []).map((one) => types[one]) }
  const attempt = Effect.gen(function* () {
    const response = yield* client.callAny(ListConfigResources, request, isMetrics ? { versionMax: 0 } : { versionMin: allTypesVersion })
    yield* expectNone(kafkaError(response.errorCode), "The resources with settings")
    return response.configResources.flatMap(({ resourceName: name, resourceType }) => {
      const kind = typeNames.get(resourceType)
      return kind === undefined ? [] : [{ type: kind, name }]
    })
  })
  return once(client, "ListConfigResources", options, attempt)
}

const bare = <A>(results: ItemResults<ConfigResource, A>): ItemResults<ConfigResource, A> =>
  results.map(({ item: { name, type: kind }, result }) => ({ item: { type: kind, name }, result }))

export const configsAdmin = (client: Client): ConfigsAdmin => ({
  describeConfigs: (resources, options) =>
    checked(
      "describeConfigs",
      () => [toDescribe(resources, "resources"), describeOptions(options, "options")],
      () => Effect.map(describeConfigs(client, resources, options), bare)
    ),
  alterConfigs: (changes, options) =>
    checked(
      "alterConfigs",
      () => [toAlter(changes, "changes"), changeOptions(options, "options")],
      () => Effect.map(alterConfigs(client, changes, options), bare)
    ),
  listConfigResources: (wanted, options) =>
    checked(
      "listConfigResources",
      () => [typeList(wanted, "types"), adminOptions(options, "options")],
      () => listConfigResources(client, wanted, options)
    )
})
