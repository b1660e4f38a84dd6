import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { DescribeClientQuotas } from "../../../protocol/message/48-describe-client-quotas.ts"
import { AlterClientQuotas } from "../../../protocol/message/49-alter-client-quotas.ts"
import { type Check, either, type Fields, fields, isPlain, listOf, oneOf, optional, text, timeoutMs, yesOrNo } from "../../argument/check.ts"
import type { Client } from "../../cluster/client.ts"
import { failure, type InvalidArgument } from "../../error.ts"
import { changeOptions, checked, itemsOf } from "./arguments.ts"
import { type AdminOptions, type ChangeOptions, type ItemError, type ItemResults, missing, once, perItem, resultOf, together } from "./items.ts"

/** Who a quota is for. Null is the default of all that have no quota of their own. */
export interface QuotaEntity {
  readonly user?: string | null
  readonly "client-id"?: string | null
  readonly ip?: string | null
}
type EntityType = keyof QuotaEntity
/** The quotas of an entity by Kafka's names: producer_byte_rate, consumer_byte_rate, request_percentage … */
export interface ClientQuotas {
  readonly entity: QuotaEntity
  readonly quotas: Readonly<Record<string, number>>
}
export interface QuotaChange {
  readonly entity: QuotaEntity
  readonly set?: Readonly<Record<string, number>>
  readonly unset?: ReadonlyArray<string>
}
/** Which quotas are meant, by the parts of an entity. */
export interface QuotaFilter {
  /** A name, null for the default, or "any" as an object for each name and the default. */
  readonly user?: string | null | { readonly any: true }
  readonly "client-id"?: string | null | { readonly any: true }
  readonly ip?: string | null | { readonly any: true }
}
export interface QuotaFilterOptions extends AdminOptions {
  /** Only entities that have no other parts than the filter. Default false. */
  readonly strict?: boolean
}

export interface QuotasAdmin {
  /** The quotas of clients that match a filter (KIP-546). Without one: all. */
  readonly describeClientQuotas: (filter?: QuotaFilter, options?: QuotaFilterOptions) => Effect.Effect<ReadonlyArray<ClientQuotas>, ItemError | InvalidArgument>
  /** Changes quotas of clients, of each entity all or none. */
  readonly alterClientQuotas: (changes: ReadonlyArray<QuotaChange>, options?: ChangeOptions) => Effect.Effect<ItemResults<QuotaEntity, void>, InvalidArgument>
}

const entityTypes: ReadonlyArray<EntityType> = ["user", "client-id", "ip"]
const entityName = either(oneOf(null), text(10_000))
const any = fields<{ any: true }>({ any: oneOf(true) })
const component = optional(either(oneOf(null), text(10_000), any))
const filterFields: Fields<QuotaFilter> = { user: component, "client-id": component, ip: component }
const aFilter = optional(fields(filterFields))
const filterOptions = optional(fields<QuotaFilterOptions>({ timeoutMs: optional(timeoutMs), strict: optional(yesOrNo) }))
const entityFields: Fields<QuotaEntity> = { user: optional(entityName), "client-id": optional(entityName), ip: optional(entityName) }
const anEntity: Check = (value, field) => {
  const wrong = fields(entityFields)(value, field)
  if (wrong !== undefined) return wrong
  return partsOf(value as QuotaEntity).length > 0 ? undefined : { field, given: value, allowed: "an object with a user, a client-id or an ip" }
}
const quotaNumbers: Check = (value, field) => {
  const isFine = isPlain(value) && Object.values(value).every((one) => typeof one === "number" && Number.isFinite(one) && one >= 0)
  return isFine ? undefined : { field, given: value, allowed: "an object of quotas, each a number of 0 or more" }
}
const changeFields: Fields<QuotaChange> = { entity: anEntity, set: optional(quotaNumbers), unset: optional(listOf(text(1000), "quotas' names")) }
const changeList = itemsOf(fields(changeFields), "entities", ({ entity }: QuotaChange) => JSON.stringify(partsOf(entity)))

const partsOf = (entity: QuotaEntity): ReadonlyArray<{ readonly entityType: EntityType; readonly entityName: string | null }> =>
  entityTypes.flatMap((entityType) => {
    const name = entity[entityType]
    return name === undefined ? [] : [{ entityType, entityName: name }]
  })
const entityOf = (parts: ReadonlyArray<{ readonly entityType: string; readonly entityName: string | null }>): QuotaEntity =>
  Object.fromEntries(parts.map(({ entityName: name, entityType }) => [entityType, name]))
const described = (entity: QuotaEntity): string =>
  `The quotas of ${partsOf(entity)
    .map(({ entityName: name, entityType }) => `${entityType} ${name ?? "(default)"}`)
    .join(", ")}`

/** How a part of the filter matches, by its numbers in the protocol. */
const matchTypes = { exact: 0, default: 1, any: 2 } as const

const describeClientQuotas = (client: Client, filter: QuotaFilter, options: QuotaFilterOptions | undefined) => {
  const components = entityTypes.flatMap(
    (entityType): ReadonlyArray<{ readonly entityType: EntityType; readonly matchType: number; readonly match: string | null }> => {
      const wanted = filter[entityType]
      if (wanted === undefined) return []
      if (wanted === null) return [{ entityType, matchType: matchTypes.default, match: null }]
      return typeof wanted === "string"
        ? [{ entityType, matchType: matchTypes.exact, match: wanted }]
        : [{ entityType, matchType: matchTypes.any, match: null }]
    }
  )
  const attempt = Effect.gen(function* () {
    const response = yield* client.callAny(DescribeClientQuotas, { components, strict: options?.strict ?? false })
    const error = kafkaError(response.errorCode)
    if (error !== "NONE") return yield* failure(error, "The quotas of clients", response.errorMessage)
    return (response.entries ?? []).map(({ entity, values }) => ({
      entity: entityOf(entity),
      quotas: Object.fromEntries(values.map(({ key, value }) => [key, value]))
    }))
  })
  return once(client, "DescribeClientQuotas", options, attempt)
}

const alterClientQuotas = (client: Client, changes: ReadonlyArray<QuotaChange>, options: ChangeOptions | undefined) =>
  Effect.map(
    perItem(client, {
      what: "AlterClientQuotas",
      items: changes,
      options,
      attempt: together((pending: ReadonlyArray<QuotaChange>) => {
        const entries = pending.map(({ entity, set = {}, unset = [] }) => ({
          entity: [...partsOf(entity)],
          ops: [...Object.entries(set).map(([key, value]) => ({ key, value, remove: false })), ...unset.map((key) => ({ key, value: 0, remove: true }))]
        }))
        return Effect.map(client.callController(AlterClientQuotas, { entries, validateOnly: options?.validateOnly ?? false }), (response) => {
          const found = new Map(response.entries.map((one) => [JSON.stringify(partsOf(entityOf(one.entity))), one]))
          return pending.map(({ entity }) => {
            const one = found.get(JSON.stringify(partsOf(entity)))
            return one === undefined ? missing(described(entity)) : resultOf(one.errorCode, described(entity), one.errorMessage, undefined)
          })
        })
      })
    }),
    (results) => results.map(({ item, result }) => ({ item: item.entity, result }))
  )

export const quotasAdmin = (client: Client): QuotasAdmin => ({
  describeClientQuotas: (filter, options) =>
    checked(
      "describeClientQuotas",
      () => [aFilter(filter, "filter"), filterOptions(options, "options")],
      () => describeClientQuotas(client, filter ?? {}, options)
    ),
  alterClientQuotas: (changes, options) =>
    checked(
      "alterClientQuotas",
      () => [changeList(changes, "changes"), changeOptions(options, "options")],
      () => alterClientQuotas(client, changes, options)
    )
})
