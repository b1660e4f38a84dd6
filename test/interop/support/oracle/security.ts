import { SaslHandshake } from "../../../../src/protocol/message/17-sasl-handshake.ts"
import { DescribeAcls } from "../../../../src/protocol/message/29-describe-acls.ts"
import { CreateAcls } from "../../../../src/protocol/message/30-create-acls.ts"
import { DeleteAcls } from "../../../../src/protocol/message/31-delete-acls.ts"
import { SaslAuthenticate } from "../../../../src/protocol/message/36-sasl-authenticate.ts"
import { CreateDelegationToken } from "../../../../src/protocol/message/38-create-delegation-token.ts"
import { RenewDelegationToken } from "../../../../src/protocol/message/39-renew-delegation-token.ts"
import { ExpireDelegationToken } from "../../../../src/protocol/message/40-expire-delegation-token.ts"
import { DescribeDelegationToken } from "../../../../src/protocol/message/41-describe-delegation-token.ts"
import { DescribeClientQuotas } from "../../../../src/protocol/message/48-describe-client-quotas.ts"
import { AlterClientQuotas } from "../../../../src/protocol/message/49-alter-client-quotas.ts"
import { DescribeUserScramCredentials } from "../../../../src/protocol/message/50-describe-user-scram-credentials.ts"
import { AlterUserScramCredentials } from "../../../../src/protocol/message/51-alter-user-scram-credentials.ts"
import { UpdateFeatures } from "../../../../src/protocol/message/57-update-features.ts"
import type { Scenario } from "./side.ts"

export const sasl: Scenario = async (side) => {
  await side.each("handshake", SaslHandshake, [0, 1], () => ({ mechanism: "PLAIN" }))
  await side.ask("handshake of nothing", SaslHandshake, 1, { mechanism: "" })
  await side.each("authenticate", SaslAuthenticate, [0, 1, 2], () => ({ authBytes: Buffer.from("\0user\0secret") }))
}

export const acls: Scenario = async (side) => {
  const any = {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1
  }
  const acl = { resourceType: 2, resourceName: "t", resourcePatternType: 3, principal: "User:a", host: "*", operation: 3, permissionType: 3 }
  await side.each("describe", DescribeAcls, [1, 2, 3], () => any)
  await side.ask("describe by names", DescribeAcls, 3, { ...any, resourceTypeFilter: 2, resourceNameFilter: "t", principalFilter: "User:a", hostFilter: "*" })
  await side.ask("describe, unknown type", DescribeAcls, 3, { ...any, resourceTypeFilter: 99 })
  await side.each("create", CreateAcls, [1, 2, 3], () => ({ creations: [acl] }))
  await side.ask("create none", CreateAcls, 3, { creations: [] })
  await side.ask("create two", CreateAcls, 3, { creations: [acl, { ...acl, principal: "malformed" }] })
  await side.ask("create with an unknown operation", CreateAcls, 3, { creations: [{ ...acl, operation: 99 }] })
  await side.each("delete", DeleteAcls, [1, 2, 3], () => ({ filters: [any] }))
  await side.ask("delete none", DeleteAcls, 3, { filters: [] })
  await side.ask("delete two", DeleteAcls, 3, { filters: [any, { ...any, resourceTypeFilter: 2 }] })
}

export const tokens: Scenario = async (side) => {
  await side.each("create", CreateDelegationToken, [1, 2, 3], () => ({ renewers: [], maxLifetimeMs: 1000n }))
  await side.ask("create for another", CreateDelegationToken, 3, { ownerPrincipalType: "User", ownerPrincipalName: "a", renewers: [], maxLifetimeMs: -1n })
  await side.ask("create with a renewer", CreateDelegationToken, 3, { renewers: [{ principalType: "User", principalName: "b" }], maxLifetimeMs: -1n })
  await side.each("renew", RenewDelegationToken, [1, 2], () => ({ hmac: Buffer.from("x"), renewPeriodMs: 1000n }))
  await side.each("expire", ExpireDelegationToken, [1, 2], () => ({ hmac: Buffer.from("x"), expiryTimePeriodMs: 1000n }))
  await side.each("describe", DescribeDelegationToken, [1, 2, 3], () => ({ owners: null }))
  await side.ask("describe one", DescribeDelegationToken, 3, { owners: [{ principalType: "User", principalName: "a" }] })
  await side.ask("describe none", DescribeDelegationToken, 3, { owners: [] })
}

const anyMatch = 2
const exact = 0
export const quotas: Scenario = async (side) => {
  const describe = (
    label: string,
    components: ReadonlyArray<readonly [entityType: string, matchType: number, match: string | null]>,
    strict = false,
    version = 1
  ) =>
    side.ask(label, DescribeClientQuotas, version, {
      components: components.map(([entityType, matchType, match]) => ({ entityType, matchType, match })),
      strict
    })
  for (const version of [0, 1]) await describe(`all v${version}`, [], false, version)
  await describe("all, strict", [], true)
  await describe("users", [["user", anyMatch, null]])
  await describe("one user", [["user", exact, "a"]])
  await describe("the default user", [["user", 1, null]])
  await describe("a client of a user", [
    ["user", exact, "a"],
    ["client-id", exact, "c"]
  ])
  await describe("an address", [["ip", exact, "127.0.0.1"]])
  await describe("an address and a user", [
    ["ip", exact, "127.0.0.1"],
    ["user", exact, "a"]
  ])
  await describe("unknown type", [["planet", exact, "a"]])
  await describe("no type", [["", exact, "a"]])
  await describe("type twice", [
    ["user", exact, "a"],
    ["user", exact, "b"]
  ])
  await describe("unknown match", [["user", 9, "a"]])
  await describe("negative match", [["user", -1, "a"]])
  await describe("exact without a name", [["user", exact, null]])
  await describe("default with a name", [["user", 1, "a"]])
  await describe("any with a name", [["user", anyMatch, "a"]])
  const alter = (
    label: string,
    entity: ReadonlyArray<readonly [entityType: string, entityName: string | null]>,
    ops: ReadonlyArray<readonly [key: string, value: number, remove?: boolean]>,
    validateOnly = false,
    version = 1
  ) =>
    side.ask(label, AlterClientQuotas, version, {
      entries: [
        {
          entity: entity.map(([entityType, entityName]) => ({ entityType, entityName })),
          ops: ops.map(([key, value, remove = false]) => ({ key, value, remove }))
        }
      ],
      validateOnly
    })
  for (const version of [0, 1]) await alter(`change: set, checked v${version}`, [["user", "a"]], [["producer_byte_rate", 1000]], true, version)
  await alter("change: remove what is not set", [["user", "a"]], [["producer_byte_rate", 0, true]])
  await alter("change: remove an unknown key", [["user", "a"]], [["colour", 0, true]])
  await alter("change: no operation", [["user", "a"]], [])
  await alter("change: unknown key", [["user", "a"]], [["colour", 1]], true)
  await alter("change: negative", [["user", "a"]], [["producer_byte_rate", -1]], true)
  await alter("change: unknown type", [["planet", "a"]], [["producer_byte_rate", 1]], true)
  await alter("change: no entity", [], [["producer_byte_rate", 1]], true)
  await alter(
    "change: type twice",
    [
      ["user", "a"],
      ["user", "b"]
    ],
    [["producer_byte_rate", 1]],
    true
  )
  await alter(
    "change: address and user",
    [
      ["user", "a"],
      ["ip", "127.0.0.1"]
    ],
    [["producer_byte_rate", 1]],
    true
  )
  await alter("change: no address", [["ip", "none of it"]], [["connection_creation_rate", 1]], true)
  await alter("change: the key of an address for a user", [["user", "a"]], [["connection_creation_rate", 1]], true)
  await side.ask("alter nothing", AlterClientQuotas, 1, { entries: [], validateOnly: false })
}

export const scram: Scenario = async (side) => {
  await side.ask("all", DescribeUserScramCredentials, 0, { users: null })
  await side.ask("none", DescribeUserScramCredentials, 0, { users: [] })
  await side.ask("one", DescribeUserScramCredentials, 0, { users: [{ name: "a" }] })
  await side.ask("two", DescribeUserScramCredentials, 0, { users: [{ name: "a" }, { name: "b" }] })
  await side.ask("one twice", DescribeUserScramCredentials, 0, { users: [{ name: "a" }, { name: "a" }, { name: "b" }] })
  await side.ask("one three times", DescribeUserScramCredentials, 0, { users: [{ name: "a" }, { name: "a" }, { name: "a" }] })
  await side.ask("no name", DescribeUserScramCredentials, 0, { users: [{ name: "" }] })
  const upsertion = { name: "a", mechanism: 1, iterations: 4096, salt: Buffer.from("salt"), saltedPassword: Buffer.from("password") }
  const alter = (label: string, deletions: ReadonlyArray<readonly [name: string, mechanism: number]>, upsertions: ReadonlyArray<typeof upsertion> = []) =>
    side.ask(label, AlterUserScramCredentials, 0, { deletions: deletions.map(([name, mechanism]) => ({ name, mechanism })), upsertions })
  await alter("nothing", [])
  await alter("delete what is not there", [["a", 1]])
  await alter("delete twice", [
    ["a", 1],
    ["a", 1]
  ])
  await alter("delete both mechanisms", [
    ["a", 1],
    ["a", 2]
  ])
  await alter("delete an unknown mechanism", [["a", 9]])
  await alter("delete mechanism 0", [["a", 0]])
  await alter("delete no name", [["", 1]])
  await alter("set with too few iterations", [], [{ ...upsertion, iterations: 1 }])
  await alter("set with too many iterations", [], [{ ...upsertion, iterations: 16_385 }])
  await alter("set an unknown mechanism", [], [{ ...upsertion, mechanism: 9 }])
  await alter("set without a name", [], [{ ...upsertion, name: "" }])
  await alter("set without a salt", [], [{ ...upsertion, salt: Buffer.alloc(0) }])
  await alter("set without a password", [], [{ ...upsertion, saltedPassword: Buffer.alloc(0) }])
  await alter("set twice", [], [upsertion, upsertion])
  await alter("set and delete", [["a", 1]], [upsertion])
  await alter("set", [], [upsertion])
  await alter("delete what was set", [["a", 1]])
}

export const features: Scenario = async (side) => {
  const update = (
    label: string,
    version: number,
    featureUpdates: ReadonlyArray<{
      readonly feature: string
      readonly maxVersionLevel: number
      readonly upgradeType?: number
      readonly allowDowngrade?: boolean
    }>
  ) => side.ask(label, UpdateFeatures, version, { featureUpdates, ...(version >= 1 ? { validateOnly: true } : {}) })
  for (const version of [1, 2]) {
    await update(`nothing v${version}`, version, [])
    await update(`unknown v${version}`, version, [{ feature: "colour", maxVersionLevel: 1 }])
    await update(`unknown, deleted v${version}`, version, [{ feature: "colour", maxVersionLevel: 0 }])
    await update(`unknown, deleted by force v${version}`, version, [{ feature: "colour", maxVersionLevel: 0, upgradeType: 3 }])
    await update(`unknown upgrade type v${version}`, version, [{ feature: "metadata.version", maxVersionLevel: 30, upgradeType: 9 }])
    await update(`no name v${version}`, version, [{ feature: "", maxVersionLevel: 1 }])
    await update(`the level that it has v${version}`, version, [{ feature: "metadata.version", maxVersionLevel: 30 }])
    await update(`a level that is too high v${version}`, version, [{ feature: "metadata.version", maxVersionLevel: 3000 }])
    await update(`a negative level v${version}`, version, [{ feature: "metadata.version", maxVersionLevel: -1 }])
    await update(`no metadata.version v${version}`, version, [{ feature: "metadata.version", maxVersionLevel: 0, upgradeType: 2 }])
    await update(`twice v${version}`, version, [
      { feature: "colour", maxVersionLevel: 1 },
      { feature: "colour", maxVersionLevel: 2 }
    ])
    await update(`two unknown v${version}`, version, [
      { feature: "colour", maxVersionLevel: 1 },
      { feature: "shape", maxVersionLevel: 2 }
    ])
    await update(`transactions 2 v${version}`, version, [{ feature: "transaction.version", maxVersionLevel: 2 }])
  }
  await side.ask("unknown v0", UpdateFeatures, 0, { featureUpdates: [{ feature: "colour", maxVersionLevel: 1, allowDowngrade: false }] })
}
