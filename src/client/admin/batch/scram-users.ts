import { Effect, Option, Redacted } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import type { Cryptography } from "../../../ports/cryptography.ts"
import { DescribeUserScramCredentials } from "../../../protocol/message/50-describe-user-scram-credentials.ts"
import { AlterUserScramCredentials } from "../../../protocol/message/51-alter-user-scram-credentials.ts"
import { type Check, fields, oneOf, optional, text, whole } from "../../argument/check.ts"
import { secret as secretCheck, withoutSecrets } from "../../argument/security.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import { type InvalidArgument, UnsupportedByCluster } from "../../error.ts"
import { type Secret, secret } from "../../security/options.ts"
import { adminOptions, checked, itemsOf } from "./arguments.ts"
import { type AdminOptions, type ItemError, type ItemResults, missing, once, perItem, resultOf, together } from "./items.ts"

/** The mechanisms, by their numbers in the protocol. */
const mechanisms = { "SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2 } as const
type ScramMechanism = keyof typeof mechanisms
const hashes = { "SCRAM-SHA-256": "SHA-256", "SCRAM-SHA-512": "SHA-512" } as const

export interface ScramCredential {
  readonly mechanism: ScramMechanism
  readonly iterations: number
}
export interface ScramUser {
  readonly user: string
  readonly mechanism: ScramMechanism
}
/** A credential to set, or to delete. The password is salted and hashed by the client, and is not sent. */
export type ScramChange =
  | (ScramUser & {
      readonly password: Secret
      /** Rounds of the hash. Default 8,192; Kafka accepts 4,096 to 16,384. */
      readonly iterations?: number
    })
  | (ScramUser & { readonly delete: true })

export interface ScramUsersAdmin {
  /** The mechanisms for which users have passwords (KIP-554): of all users, or of those that are named. */
  readonly describeScramUsers: (
    users?: ReadonlyArray<string>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<string, ReadonlyArray<ScramCredential>>, ItemError | InvalidArgument>
  /** Sets and deletes passwords of users. The cluster does the changes of one user all or none. */
  readonly alterScramUsers: (changes: ReadonlyArray<ScramChange>, options?: AdminOptions) => Effect.Effect<ItemResults<ScramUser, void>, InvalidArgument>
}

const aUser = text(10_000)
const mechanism = oneOf(...Object.keys(mechanisms))
const upsertion = fields(
  { user: aUser, mechanism, password: secretCheck, iterations: optional(whole(4096, 16_384)) },
  "an object with user, mechanism and password"
)
const deletion = fields({ user: aUser, mechanism, delete: oneOf(true) }, "an object with user, mechanism and delete")
const aChange: Check = withoutSecrets((value, field) => (typeof value === "object" && value !== null && "delete" in value ? deletion : upsertion)(value, field))
const changeList = itemsOf(aChange, "changes", (change: ScramChange) => `${change.mechanism} ${change.user}`)
const userList = optional(itemsOf(aUser, "users", String))

const defaultIterations = 8192
/** Bytes of a new salt. */
const saltBytes = 24

const mechanismOf = (number: number): ScramMechanism | undefined => (number === 1 ? "SCRAM-SHA-256" : number === 2 ? "SCRAM-SHA-512" : undefined)

const describeScramUsers = (client: Client, users: ReadonlyArray<string> | undefined, options: AdminOptions | undefined) => {
  const attempt = Effect.gen(function* () {
    const response = yield* client.callAny(DescribeUserScramCredentials, { users: users === undefined ? null : users.map((name) => ({ name })) })
    yield* expectNone(kafkaError(response.errorCode), "The SCRAM users", response.errorMessage)
    return response.results.map(({ credentialInfos, errorCode, errorMessage, user }) => {
      const credentials = credentialInfos.flatMap(({ iterations, mechanism: number }) => {
        const known = mechanismOf(number)
        return known === undefined ? [] : [{ mechanism: known, iterations }]
      })
      return { item: user, result: resultOf<ReadonlyArray<ScramCredential>>(errorCode, `The user '${user}'`, errorMessage, credentials) }
    })
  })
  return once(client, "DescribeUserScramCredentials", options, attempt)
}

const upsertionOf = (change: Extract<ScramChange, { password: Secret }>, crypto: Cryptography["Type"]) => {
  const { iterations = defaultIterations, mechanism: name, password, user } = change
  const salt = crypto.randomBytes(saltBytes)
  const salted = crypto.pbkdf2(hashes[name], new TextEncoder().encode(Redacted.value(secret(password))), salt, iterations)
  return Effect.map(salted, (saltedPassword) => ({ name: user, mechanism: mechanisms[name], iterations, salt, saltedPassword }))
}

type Crypto = Option.Option<Cryptography["Type"]>
const alterScramUsers = (client: Client, crypto: Crypto, changes: ReadonlyArray<ScramChange>, options: AdminOptions | undefined) => {
  const altered = perItem(client, {
    what: "AlterUserScramCredentials",
    items: changes,
    options,
    attempt: together((pending: ReadonlyArray<ScramChange>) =>
      Effect.gen(function* () {
        const sets = pending.filter((change) => "password" in change)
        if (Option.isNone(crypto) && sets.length > 0)
          return yield* new UnsupportedByCluster({ what: "passwords without the service Cryptography: provide it beside Transport" })
        const upsertions = Option.isNone(crypto) ? [] : yield* Effect.forEach(sets, (change) => upsertionOf(change, crypto.value))
        const deletions = pending.flatMap((change) => ("password" in change ? [] : [{ name: change.user, mechanism: mechanisms[change.mechanism] }]))
        const { results } = yield* client.callController(AlterUserScramCredentials, { deletions, upsertions })
        return pending.map(({ user }) => {
          const one = results.find((result) => result.user === user)
          return one === undefined ? missing(`The user '${user}'`) : resultOf(one.errorCode, `The user '${user}'`, one.errorMessage, undefined)
        })
      })
    )
  })
  // The results never have the passwords.
  return Effect.map(altered, (results) => results.map(({ item: { mechanism: of, user }, result }) => ({ item: { user, mechanism: of }, result })))
}

export const scramUsersAdmin = (client: Client, crypto: Crypto): ScramUsersAdmin => ({
  describeScramUsers: (users, options) =>
    checked(
      "describeScramUsers",
      () => [userList(users, "users"), adminOptions(options, "options")],
      () => describeScramUsers(client, users, options)
    ),
  alterScramUsers: (changes, options) =>
    checked(
      "alterScramUsers",
      () => [changeList(changes, "changes"), adminOptions(options, "options")],
      () => alterScramUsers(client, crypto, changes, options)
    )
})
