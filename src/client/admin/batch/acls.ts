import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { DescribeAcls } from "../../../protocol/message/29-describe-acls.ts"
import { CreateAcls } from "../../../protocol/message/30-create-acls.ts"
import { DeleteAcls } from "../../../protocol/message/31-delete-acls.ts"
import { type Check, type Fields, fields, listOf, oneOf, optional, text } from "../../argument/check.ts"
import type { Client } from "../../cluster/client.ts"
import { failure, type InvalidArgument } from "../../error.ts"
import { adminOptions, checked, itemsOf } from "./arguments.ts"
import { type AdminOptions, type ItemError, type ItemResults, missing, once, perItem, resultOf, together } from "./items.ts"

/** The words of ACLs, by their numbers in the protocol. */
const resourceTypes = { any: 1, topic: 2, group: 3, cluster: 4, "transactional-id": 5, "delegation-token": 6, user: 7 } as const
const patternTypes = { any: 1, match: 2, literal: 3, prefixed: 4 } as const
const operations = {
  any: 1,
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  "cluster-action": 9,
  "describe-configs": 10,
  "alter-configs": 11,
  "idempotent-write": 12,
  "create-tokens": 13,
  "describe-tokens": 14,
  "two-phase-commit": 15
} as const
const permissions = { any: 1, deny: 2, allow: 3 } as const

/** One permission of one principal. */
export interface Acl {
  readonly resourceType: Exclude<keyof typeof resourceTypes, "any">
  /** "kafka-cluster" for the cluster; "*" with a literal pattern for all resources of the type. */
  readonly resourceName: string
  /** Default "literal". "prefixed": all resources whose names begin so. */
  readonly patternType?: "literal" | "prefixed"
  /** `User:alice`, or `User:*`. */
  readonly principal: string
  /** An IP address. Default "*". */
  readonly host?: string
  readonly operation: Exclude<keyof typeof operations, "any">
  readonly permission: "allow" | "deny"
}
/** Which ACLs are meant. What is missing matches all. */
export interface AclFilter {
  readonly resourceType?: keyof typeof resourceTypes
  readonly resourceName?: string
  /** Default "any". "match": all patterns that apply to the resource of this name. */
  readonly patternType?: keyof typeof patternTypes
  readonly principal?: string
  readonly host?: string
  readonly operation?: keyof typeof operations
  readonly permission?: keyof typeof permissions
}

export interface AclsAdmin {
  /** The ACLs that match a filter. */
  readonly describeAcls: (filter?: AclFilter, options?: AdminOptions) => Effect.Effect<ReadonlyArray<Required<Acl>>, ItemError | InvalidArgument>
  /** Creates ACLs. One that exists already is a success. */
  readonly createAcls: (acls: ReadonlyArray<Acl>, options?: AdminOptions) => Effect.Effect<ItemResults<Acl, void>, InvalidArgument>
  /** Deletes the ACLs that match filters. The result of a filter is what it deleted. */
  readonly deleteAcls: (
    filters: ReadonlyArray<AclFilter>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<AclFilter, ReadonlyArray<Required<Acl>>>, InvalidArgument>
}

const wordOf = <T extends string>(words: Readonly<Record<T, number>>, ...without: ReadonlyArray<string>): Check =>
  oneOf(...Object.keys(words).filter((word) => !without.includes(word)))
const aText = text(10_000)
const aclFields: Fields<Acl> = {
  resourceType: wordOf(resourceTypes, "any"),
  resourceName: aText,
  patternType: optional(oneOf("literal", "prefixed")),
  principal: aText,
  host: optional(aText),
  operation: wordOf(operations, "any"),
  permission: oneOf("allow", "deny")
}
const filterFields: Fields<AclFilter> = {
  resourceType: optional(wordOf(resourceTypes)),
  resourceName: optional(aText),
  patternType: optional(wordOf(patternTypes)),
  principal: optional(aText),
  host: optional(aText),
  operation: optional(wordOf(operations)),
  permission: optional(wordOf(permissions))
}
const keyOf = (acl: Acl): string =>
  JSON.stringify([acl.resourceType, acl.resourceName, acl.patternType, acl.principal, acl.host, acl.operation, acl.permission])
const aclList = itemsOf(fields(aclFields), "ACLs", keyOf)
const aFilter = fields(filterFields)
const filterList = listOf(aFilter, "filters", 1)

const named = <T extends string>(words: Readonly<Record<T, number>>): ReadonlyMap<number, T> =>
  new Map(Object.entries<number>(words).map(([word, number]) => [number, word as T]))
const byNumber = { resourceType: named(resourceTypes), patternType: named(patternTypes), operation: named(operations), permission: named(permissions) }

interface Numbers {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}
/** Returns the ACL of a response; none for one with words of a later version. */
const aclOf = ({ host, operation, patternType, permissionType, principal, resourceName, resourceType }: Numbers): ReadonlyArray<Required<Acl>> => {
  const words = {
    resourceType: byNumber.resourceType.get(resourceType),
    patternType: byNumber.patternType.get(patternType),
    operation: byNumber.operation.get(operation),
    permission: byNumber.permission.get(permissionType)
  }
  return Object.values(words).includes(undefined) ? [] : [{ ...words, resourceName, principal, host } as Required<Acl>]
}
const filterOf = (filter: AclFilter) => ({
  resourceTypeFilter: resourceTypes[filter.resourceType ?? "any"],
  resourceNameFilter: filter.resourceName ?? null,
  patternTypeFilter: patternTypes[filter.patternType ?? "any"],
  principalFilter: filter.principal ?? null,
  hostFilter: filter.host ?? null,
  operation: operations[filter.operation ?? "any"],
  permissionType: permissions[filter.permission ?? "any"]
})

const describeAcls = (client: Client, filter: AclFilter, options: AdminOptions | undefined) => {
  const attempt = Effect.gen(function* () {
    const response = yield* client.callAny(DescribeAcls, filterOf(filter))
    const error = kafkaError(response.errorCode)
    if (error !== "NONE") return yield* failure(error, "The ACLs", response.errorMessage)
    return response.resources.flatMap((resource) => resource.acls.flatMap((acl) => aclOf({ ...resource, ...acl })))
  })
  return once(client, "DescribeAcls", options, attempt)
}

const createAcls = (client: Client, acls: ReadonlyArray<Acl>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "CreateAcls",
    items: acls,
    options,
    attempt: together((pending: ReadonlyArray<Acl>) => {
      const creations = pending.map(({ host = "*", operation, patternType = "literal", permission, principal, resourceName, resourceType }) => ({
        resourceType: resourceTypes[resourceType],
        resourceName,
        resourcePatternType: patternTypes[patternType],
        principal,
        host,
        operation: operations[operation],
        permissionType: permissions[permission]
      }))
      return Effect.map(client.callController(CreateAcls, { creations }), ({ results }) =>
        pending.map(({ principal, resourceName, resourceType }, index) => {
          const one = results[index]
          const what = `The ACL of ${principal} for the ${resourceType} '${resourceName}'`
          return one === undefined ? missing(what) : resultOf(one.errorCode, what, one.errorMessage, undefined)
        })
      )
    })
  })

const deleteAcls = (client: Client, filters: ReadonlyArray<AclFilter>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "DeleteAcls",
    items: filters,
    options,
    attempt: together((pending: ReadonlyArray<AclFilter>) =>
      Effect.map(client.callController(DeleteAcls, { filters: pending.map(filterOf) }), ({ filterResults }) =>
        pending.map((_, index) => {
          const one = filterResults[index]
          if (one === undefined) return missing("The filter")
          const deleted = one.matchingAcls.filter(({ errorCode }) => errorCode === 0)
          // What a filter matches and the cluster keeps makes the filter fail.
          const kept = one.matchingAcls.find(({ errorCode }) => errorCode !== 0)
          return resultOf(
            one.errorCode || (kept?.errorCode ?? 0),
            "The deletion of ACLs",
            one.errorMessage ?? kept?.errorMessage ?? null,
            deleted.flatMap(aclOf)
          )
        })
      )
    )
  })

export const aclsAdmin = (client: Client): AclsAdmin => ({
  describeAcls: (filter, options) =>
    checked(
      "describeAcls",
      () => [optional(aFilter)(filter, "filter"), adminOptions(options, "options")],
      () => describeAcls(client, filter ?? {}, options)
    ),
  createAcls: (acls, options) =>
    checked(
      "createAcls",
      () => [aclList(acls, "acls"), adminOptions(options, "options")],
      () => createAcls(client, acls, options)
    ),
  deleteAcls: (filters, options) =>
    checked(
      "deleteAcls",
      () => [filterList(filters, "filters"), adminOptions(options, "options")],
      () => deleteAcls(client, filters, options)
    )
})
