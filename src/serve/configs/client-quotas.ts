import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { DescribeClientQuotas } from "../../protocol/message/48-describe-client-quotas.ts"
import { AlterClientQuotas } from "../../protocol/message/49-alter-client-quotas.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

type Component = RequestOf<typeof DescribeClientQuotas>["components"][number]
type Alteration = RequestOf<typeof AlterClientQuotas>["entries"][number]
type Fault = readonly [error: KafkaError, message: string]

const entityTypes = new Set(["user", "client-id", "ip"])
/** How a component of the filter matches the name of an entity (KIP-546). */
const match = { exact: 0, default: 1, any: 2 }

const componentFault = ({ entityType, match: name, matchType }: Component, seen: Set<string>): Fault | undefined => {
  if (entityType === "") return ["INVALID_REQUEST", "Unexpected empty filter component entity type."]
  if (!entityTypes.has(entityType)) return ["UNSUPPORTED_VERSION", "Custom entity types are not supported: an entity is a user, a client-id or an ip."]
  if (seen.has(entityType)) return ["INVALID_REQUEST", `Duplicate ${entityType} filter component entity type.`]
  seen.add(entityType)
  if (matchType === match.exact) return name === null ? ["INVALID_REQUEST", "Request specifies an exact match, but has no name to match."] : undefined
  if (matchType !== match.default && matchType !== match.any) return ["INVALID_REQUEST", `Unexpected match type ${matchType}: 0 is exact, 1 default, 2 any.`]
  return name === null ? undefined : ["INVALID_REQUEST", "Request specifies a name to match, but the match type is not exact."]
}
const describeFault = (components: ReadonlyArray<Component>): Fault | undefined => {
  const seen = new Set<string>()
  for (const component of components) {
    const fault = componentFault(component, seen)
    if (fault !== undefined) return fault
  }
  return seen.has("ip") && seen.size > 1 ? ["INVALID_REQUEST", "An ip filter component cannot be used together with user or client-id."] : undefined
}

const describe = ({ components }: RequestOf<typeof DescribeClientQuotas>): ResponseDraft<typeof DescribeClientQuotas> => {
  const fault = describeFault(components)
  if (fault === undefined) return { errorCode: 0, errorMessage: null, entries: [] }
  return { errorCode: errorCode(fault[0]), errorMessage: fault[1], entries: null }
}

const alterFault = (entityOf: ReadonlyMap<string, string | null>, ops: Alteration["ops"]): Fault | undefined => {
  if (entityOf.size === 0) return ["INVALID_REQUEST", "Invalid empty client quota entity."]
  for (const type of entityOf.keys()) if (!entityTypes.has(type)) return ["INVALID_REQUEST", "Unknown entity type: an entity is a user, a client-id or an ip."]
  if (entityOf.has("ip") && entityOf.size > 1) return ["INVALID_REQUEST", "An ip entity cannot be combined with a user or a client-id."]
  if (ops.every(({ remove }) => remove)) return undefined
  return ["INVALID_REQUEST", "This cluster enforces no quotas, so it does not accept any. Removing a quota succeeds, since none is set."]
}

/** A duplicate entity type counts once, with its last name, as in Kafka. */
const alter = ({ entity, ops }: Alteration): ResponseDraft<typeof AlterClientQuotas>["entries"][number] => {
  const entityOf = new Map(entity.map(({ entityName, entityType }) => [entityType, entityName]))
  const fault = alterFault(entityOf, ops)
  return {
    errorCode: errorCode(fault?.[0] ?? "NONE"),
    errorMessage: fault?.[1] ?? null,
    entity: [...entityOf].map(([entityType, entityName]) => ({ entityType, entityName }))
  }
}

/**
 * DescribeClientQuotas and AlterClientQuotas 0-1 (KIP-546) of a cluster that enforces no quotas: none is listed, removing one succeeds, and setting one is INVALID_REQUEST.
 * Faults of the request are refused as Kafka does, with INVALID_REQUEST, or UNSUPPORTED_VERSION for an entity type that Kafka does not have.
 */
export const clientQuotaRoutes: ReadonlyArray<Route> = [
  route(DescribeClientQuotas, {}, describe),
  route(AlterClientQuotas, {}, ({ entries }) => ({ entries: entries.map(alter) }))
]
