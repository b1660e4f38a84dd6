import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { DescribeUserScramCredentials } from "../../protocol/message/50-describe-user-scram-credentials.ts"
import { AlterUserScramCredentials } from "../../protocol/message/51-alter-user-scram-credentials.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

type Alterations = RequestOf<typeof AlterUserScramCredentials>
type Fault = readonly [error: KafkaError, message: string]

const notFound: Fault = ["RESOURCE_NOT_FOUND", "Attempt to describe a user credential that does not exist."]
const describedTwice: Fault = ["DUPLICATE_RESOURCE", "Cannot describe SCRAM credentials for the same user twice in a single request."]
const nothingToDelete: Fault = ["RESOURCE_NOT_FOUND", "Attempt to delete a user credential that does not exist."]
const alteredTwice: Fault = ["DUPLICATE_RESOURCE", "A user credential cannot be altered twice in the same request."]
const noName: Fault = ["UNACCEPTABLE_CREDENTIAL", "Username must not be empty."]
const unknownMechanism: Fault = ["UNSUPPORTED_SASL_MECHANISM", "Unknown SCRAM mechanism: 1 is SCRAM-SHA-256, 2 SCRAM-SHA-512."]
const noSasl: Fault = ["UNSUPPORTED_SASL_MECHANISM", "This cluster has no SASL listener, so it stores no credentials."]

/** Fewest iterations of each mechanism (RFC 7677 for SCRAM-SHA-256), as in Kafka. */
const iterationsMin: Readonly<Record<number, number>> = { 1: 4096, 2: 4096 }
const iterationsMax = 16_384

const deletionFault = ({ mechanism, name }: Alterations["deletions"][number]): Fault => {
  if (name === "") return noName
  return iterationsMin[mechanism] === undefined ? unknownMechanism : nothingToDelete
}
const upsertionFault = ({ iterations, mechanism, name }: Alterations["upsertions"][number]): Fault => {
  if (name === "") return noName
  const fewest = iterationsMin[mechanism]
  if (fewest === undefined) return unknownMechanism
  if (iterations < fewest) return ["UNACCEPTABLE_CREDENTIAL", `Too few iterations: at least ${fewest} are required.`]
  return iterations > iterationsMax ? ["UNACCEPTABLE_CREDENTIAL", `Too many iterations: at most ${iterationsMax} are allowed.`] : noSasl
}

const resultOf = (user: string, [error, errorMessage]: Fault) => ({ user, errorCode: errorCode(error), errorMessage })

/** Each user once, with its first fault; a duplicate name and mechanism, or a user that is both set and deleted, is the fault where there is one. */
const alter = ({ deletions, upsertions }: Alterations) => {
  const faults = new Map<string, Fault>()
  const set = new Set<string>()
  for (const deletion of deletions) if (!faults.has(deletion.name)) faults.set(deletion.name, deletionFault(deletion))
  for (const upsertion of upsertions) {
    const known = faults.get(upsertion.name)
    const isRepeated = set.has(`${upsertion.mechanism} ${upsertion.name}`) || known === nothingToDelete
    set.add(`${upsertion.mechanism} ${upsertion.name}`)
    if (isRepeated) faults.set(upsertion.name, alteredTwice)
    else if (known === undefined || known === noSasl) faults.set(upsertion.name, upsertionFault(upsertion))
  }
  return [...faults].map(([user, fault]) => resultOf(user, fault))
}

/** Each user once; DUPLICATE_RESOURCE for a duplicate. */
const describe = (users: ReadonlyArray<{ readonly name: string }>) => {
  const faults = new Map<string, Fault>()
  for (const { name } of users) faults.set(name, faults.has(name) ? describedTwice : notFound)
  return [...faults].map(([user, fault]) => ({ ...resultOf(user, fault), credentialInfos: [] }))
}

/**
 * DescribeUserScramCredentials and AlterUserScramCredentials 0 (KIP-554) of a cluster without SASL: there are no users, so that describing or deleting one is RESOURCE_NOT_FOUND,
 * and setting one UNSUPPORTED_SASL_MECHANISM. Faults of the request are refused as Kafka does.
 */
export const scramCredentialRoutes: ReadonlyArray<Route> = [
  route(DescribeUserScramCredentials, {}, ({ users }) => ({ errorCode: 0, errorMessage: null, results: describe(users ?? []) })),
  route(AlterUserScramCredentials, {}, (request) => ({ results: alter(request) }))
]
