import { Effect, Redacted } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { CreateDelegationToken } from "../../../protocol/message/38-create-delegation-token.ts"
import { RenewDelegationToken } from "../../../protocol/message/39-renew-delegation-token.ts"
import { ExpireDelegationToken } from "../../../protocol/message/40-expire-delegation-token.ts"
import { DescribeDelegationToken } from "../../../protocol/message/41-describe-delegation-token.ts"
import { type Check, either, fields, listOf, oneOf, optional, text, timeoutMs } from "../../argument/check.ts"
import type { Client } from "../../cluster/client.ts"
import { failure, type InvalidArgument } from "../../error.ts"
import { adminOptions, checked } from "./arguments.ts"
import { type AdminOptions, type ItemError, once } from "./items.ts"

/** A delegation token (KIP-48). Times are ms since 1970. `hmac` is its secret. */
export interface DelegationToken {
  readonly tokenId: string
  /** `User:alice`. */
  readonly owner: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** No renewal goes beyond it. */
  readonly maxExpiresAt: number
  readonly hmac: Redacted.Redacted<Uint8Array>
  readonly renewers: ReadonlyArray<string>
}
export interface NewToken extends AdminOptions {
  /** The owner. Default: the principal of this client. */
  readonly owner?: string
  /** Principals that may renew it, beside the owner. */
  readonly renewers?: ReadonlyArray<string>
  /** The time after which it cannot be renewed, ms. Default: the cluster's. */
  readonly maxLifetimeMs?: number
}
type Hmac = Redacted.Redacted<Uint8Array>

export interface TokensAdmin {
  readonly createDelegationToken: (options?: NewToken) => Effect.Effect<DelegationToken, ItemError | InvalidArgument>
  /** Prolongs a token. Returns when it expires. `periodMs`: default the cluster's. */
  readonly renewDelegationToken: (hmac: Hmac, periodMs?: number, options?: AdminOptions) => Effect.Effect<number, ItemError | InvalidArgument>
  /** Makes a token expire after `periodMs`, or now. Returns when it expires. */
  readonly expireDelegationToken: (hmac: Hmac, periodMs: number | "now", options?: AdminOptions) => Effect.Effect<number, ItemError | InvalidArgument>
  /** The tokens of owners, or all that this client may see. */
  readonly describeDelegationTokens: (
    owners?: ReadonlyArray<string>,
    options?: AdminOptions
  ) => Effect.Effect<ReadonlyArray<DelegationToken>, ItemError | InvalidArgument>
}

const principal: Check = (value, field) =>
  typeof value === "string" && /^[^:]+:./.test(value) ? text(10_000)(value, field) : { field, given: value, allowed: "a principal, as User:alice" }
const period = optional(timeoutMs)
const newToken = optional(
  fields<NewToken>({ timeoutMs: optional(timeoutMs), owner: optional(principal), renewers: optional(listOf(principal, "principals")), maxLifetimeMs: period })
)
const aHmac: Check = (value, field) =>
  Redacted.isRedacted(value) && Redacted.value(value) instanceof Uint8Array ? undefined : { field, given: {}, allowed: "the hmac of a delegation token" }

const partsOf = (name: string) => {
  const at = name.indexOf(":")
  return { principalType: name.slice(0, at), principalName: name.slice(at + 1) }
}
const nameOf = ({ principalName, principalType }: { readonly principalName: string; readonly principalType: string }): string =>
  `${principalType}:${principalName}`
const what = "The delegation token"
const expect = (errorCode: number): Effect.Effect<void, ItemError> => {
  const error = kafkaError(errorCode)
  return error === "NONE" ? Effect.void : Effect.fail(failure(error, what))
}

const create = (client: Client, { maxLifetimeMs, owner, renewers = [] }: NewToken) => {
  const { principalName = "", principalType = "" } = owner === undefined ? {} : partsOf(owner)
  const request = {
    renewers: renewers.map(partsOf),
    maxLifetimeMs: BigInt(maxLifetimeMs ?? -1),
    ...(owner === undefined ? {} : { ownerPrincipalType: principalType, ownerPrincipalName: principalName })
  }
  return Effect.gen(function* () {
    const token = yield* client.callController(CreateDelegationToken, request, { versionMin: owner === undefined ? 1 : 3 })
    yield* expect(token.errorCode)
    return {
      tokenId: token.tokenId,
      owner: nameOf(token),
      issuedAt: Number(token.issueTimestampMs),
      expiresAt: Number(token.expiryTimestampMs),
      maxExpiresAt: Number(token.maxTimestampMs),
      hmac: Redacted.make(token.hmac.slice()),
      renewers
    }
  })
}
const describe = (client: Client, owners: ReadonlyArray<string> | undefined) =>
  Effect.gen(function* () {
    const { errorCode, tokens } = yield* client.callAny(DescribeDelegationToken, { owners: owners === undefined ? null : owners.map(partsOf) })
    yield* expect(errorCode)
    return tokens.map((token) => ({
      tokenId: token.tokenId,
      owner: nameOf(token),
      issuedAt: Number(token.issueTimestamp),
      expiresAt: Number(token.expiryTimestamp),
      maxExpiresAt: Number(token.maxTimestamp),
      hmac: Redacted.make(token.hmac.slice()),
      renewers: token.renewers.map(nameOf)
    }))
  })
const renew = (client: Client, hmac: Hmac, periodMs: number | undefined) =>
  Effect.flatMap(client.callController(RenewDelegationToken, { hmac: Redacted.value(hmac), renewPeriodMs: BigInt(periodMs ?? -1) }), (response) =>
    Effect.as(expect(response.errorCode), Number(response.expiryTimestampMs))
  )
const expire = (client: Client, hmac: Hmac, periodMs: number | "now") =>
  Effect.flatMap(
    client.callController(ExpireDelegationToken, { hmac: Redacted.value(hmac), expiryTimePeriodMs: periodMs === "now" ? -1n : BigInt(periodMs) }),
    (response) => Effect.as(expect(response.errorCode), Number(response.expiryTimestampMs))
  )

export const tokensAdmin = (client: Client): TokensAdmin => ({
  createDelegationToken: (options) =>
    checked(
      "createDelegationToken",
      () => [newToken(options, "options")],
      () => once(client, what, options, create(client, options ?? {}))
    ),
  renewDelegationToken: (hmac, periodMs, options) =>
    checked(
      "renewDelegationToken",
      () => [aHmac(hmac, "hmac"), period(periodMs, "periodMs"), adminOptions(options, "options")],
      () => once(client, what, options, renew(client, hmac, periodMs))
    ),
  expireDelegationToken: (hmac, periodMs, options) =>
    checked(
      "expireDelegationToken",
      () => [aHmac(hmac, "hmac"), either(timeoutMs, oneOf("now"))(periodMs, "periodMs"), adminOptions(options, "options")],
      () => once(client, what, options, expire(client, hmac, periodMs))
    ),
  describeDelegationTokens: (owners, options) =>
    checked(
      "describeDelegationTokens",
      () => [optional(listOf(principal, "principals", 1))(owners, "owners"), adminOptions(options, "options")],
      () => once(client, what, options, describe(client, owners))
    )
})
