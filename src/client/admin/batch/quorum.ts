import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { ApiVersions } from "../../../protocol/message/18-api-versions.ts"
import { DescribeQuorum } from "../../../protocol/message/55-describe-quorum.ts"
import { UpdateFeatures } from "../../../protocol/message/57-update-features.ts"
import { AddRaftVoter } from "../../../protocol/message/80-add-raft-voter.ts"
import { RemoveRaftVoter } from "../../../protocol/message/81-remove-raft-voter.ts"
import { software } from "../../../wire/link/exchange.ts"
import { type Check, fields, listOf, name, oneOf, optional, text, whole } from "../../argument/check.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { InvalidArgument } from "../../error.ts"
import { adminOptions, changeOptions, checked, itemsOf } from "./arguments.ts"
import { type AdminOptions, type ChangeOptions, type ItemError, nodeTimeoutOf, once } from "./items.ts"

/** A replica of the cluster's metadata. Times are ms since 1970; undefined where the controller does not name them. */
export interface QuorumReplica {
  readonly id: number
  readonly directoryId: string
  readonly end: number
  readonly lastFetchAt: number | undefined
  readonly lastCaughtUpAt: number | undefined
}
export interface QuorumDescription {
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly highWatermark: number
  readonly voters: ReadonlyArray<QuorumReplica>
  readonly observers: ReadonlyArray<QuorumReplica>
}
export interface VersionRange {
  readonly min: number
  readonly max: number
}
/** The features of the cluster (KIP-584), by name. */
export interface FeaturesDescription {
  readonly supported: Readonly<Record<string, VersionRange>>
  readonly finalized: Readonly<Record<string, VersionRange>>
  /** -1: none is finalized. */
  readonly epoch: number
}
export interface FeatureUpdate {
  readonly feature: string
  /** 0 removes the feature. */
  readonly level: number
  /** Default "upgrade". An unsafe downgrade may lose metadata. */
  readonly kind?: "upgrade" | "safe-downgrade" | "unsafe-downgrade"
}
export interface NewVoter {
  readonly id: number
  readonly directoryId: string
  readonly listeners: ReadonlyArray<{ readonly name: string; readonly host: string; readonly port: number }>
}

export interface QuorumAdmin {
  /** The leader, the voters and the observers of the cluster's metadata (KIP-595, KIP-836). */
  readonly describeQuorum: (options?: AdminOptions) => Effect.Effect<QuorumDescription, ItemError | InvalidArgument>
  /** Adds a controller to the voters of the metadata (KIP-853). */
  readonly addVoter: (voter: NewVoter, options?: AdminOptions) => Effect.Effect<void, ItemError | InvalidArgument>
  readonly removeVoter: (voter: Pick<NewVoter, "id" | "directoryId">, options?: AdminOptions) => Effect.Effect<void, ItemError | InvalidArgument>
  readonly describeFeatures: (options?: AdminOptions) => Effect.Effect<FeaturesDescription, ItemError | InvalidArgument>
  /** Raises or lowers the levels of features, all of them or none. */
  readonly updateFeatures: (updates: ReadonlyArray<FeatureUpdate>, options?: ChangeOptions) => Effect.Effect<void, ItemError | InvalidArgument>
}

const uuid: Check = (value, field) =>
  typeof value === "string" && /^[A-Za-z0-9_-]{22}$/.test(value) ? undefined : { field, given: value, allowed: "a UUID of 22 characters" }
const listener = fields<NewVoter["listeners"][number]>({ name: text(255), host: text(255), port: whole(1, 65_535) })
const aVoter = fields<NewVoter>({ id: whole(0), directoryId: uuid, listeners: listOf(listener, "listeners", 1) })
const aMember = fields<Pick<NewVoter, "id" | "directoryId">>({ id: whole(0), directoryId: uuid })
const updates = itemsOf(
  fields<FeatureUpdate>({ feature: name, level: whole(0, 0x7fff), kind: optional(oneOf("upgrade", "safe-downgrade", "unsafe-downgrade")) }),
  "features",
  ({ feature }: FeatureUpdate) => feature
)

const metadataTopic = "__cluster_metadata"
const known = (at: bigint): number | undefined => (at < 0n ? undefined : Number(at))

const describeQuorum = (client: Client, options: AdminOptions | undefined) => {
  const request = { topics: [{ topicName: metadataTopic, partitions: [{ partitionIndex: 0 }] }] }
  const attempt = Effect.gen(function* () {
    const response = yield* client.callAny(DescribeQuorum, request)
    yield* expectNone(kafkaError(response.errorCode), "The quorum", response.errorMessage || null)
    const found = response.topics[0]?.partitions[0]
    yield* expectNone(found === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(found.errorCode), "The quorum", found?.errorMessage || null)
    const replica = (one: NonNullable<typeof found>["currentVoters"][number]): QuorumReplica => ({
      id: one.replicaId,
      directoryId: one.replicaDirectoryId,
      end: Number(one.logEndOffset),
      lastFetchAt: known(one.lastFetchTimestamp),
      lastCaughtUpAt: known(one.lastCaughtUpTimestamp)
    })
    return {
      leaderId: found?.leaderId ?? -1,
      leaderEpoch: found?.leaderEpoch ?? -1,
      highWatermark: Number(found?.highWatermark ?? -1n),
      voters: found?.currentVoters.map(replica) ?? [],
      observers: found?.observers.map(replica) ?? []
    }
  })
  return once(client, "DescribeQuorum", options, attempt)
}

const addVoter = (client: Client, voter: NewVoter, options: AdminOptions | undefined) => {
  const { directoryId, id, listeners } = voter
  const request = { clusterId: null, timeoutMs: nodeTimeoutOf(client, options), voterId: id, voterDirectoryId: directoryId, listeners: [...listeners] }
  const attempt = Effect.flatMap(client.callAny(AddRaftVoter, request), ({ errorCode, errorMessage }) =>
    expectNone(kafkaError(errorCode), `The voter ${id}`, errorMessage)
  )
  return once(client, "AddRaftVoter", options, attempt)
}
const removeVoter = (client: Client, { directoryId, id }: Pick<NewVoter, "id" | "directoryId">, options: AdminOptions | undefined) =>
  once(
    client,
    "RemoveRaftVoter",
    options,
    Effect.flatMap(client.callAny(RemoveRaftVoter, { clusterId: null, voterId: id, voterDirectoryId: directoryId }), ({ errorCode, errorMessage }) =>
      expectNone(kafkaError(errorCode), `The voter ${id}`, errorMessage)
    )
  )

const describeFeatures = (client: Client, options: AdminOptions | undefined) => {
  const attempt = Effect.gen(function* () {
    // The version that links ask for: later ones name the node that the client expects.
    const response = yield* client.callAny(ApiVersions, software, { versionMax: 4 })
    yield* expectNone(kafkaError(response.errorCode), "The features")
    const supported = response.supportedFeatures.map((one) => [one.name, { min: one.minVersion, max: one.maxVersion }] as const)
    const finalized = response.finalizedFeatures.map((one) => [one.name, { min: one.minVersionLevel, max: one.maxVersionLevel }] as const)
    const described: FeaturesDescription = {
      supported: Object.fromEntries(supported),
      finalized: Object.fromEntries(finalized),
      epoch: Number(response.finalizedFeaturesEpoch)
    }
    return described
  })
  return once(client, "ApiVersions", options, attempt)
}

/** How a feature may change, by its number in UpdateFeatures. */
const upgradeTypes = { upgrade: 1, "safe-downgrade": 2, "unsafe-downgrade": 3 } as const

const updateFeatures = (client: Client, wanted: ReadonlyArray<FeatureUpdate>, options: ChangeOptions | undefined) => {
  const featureUpdates = wanted.map(({ feature, kind = "upgrade", level }) => ({ feature, maxVersionLevel: level, upgradeType: upgradeTypes[kind] }))
  const request = { timeoutMs: nodeTimeoutOf(client, options), featureUpdates, validateOnly: options?.validateOnly ?? false }
  const attempt = Effect.gen(function* () {
    const { errorCode, errorMessage, results } = yield* client.callController(UpdateFeatures, request, { versionMin: 1 })
    yield* expectNone(kafkaError(errorCode), "The features", errorMessage)
    for (const one of results) yield* expectNone(kafkaError(one.errorCode), `The feature '${one.feature}'`, one.errorMessage)
  })
  return once(client, "UpdateFeatures", options, attempt)
}

export const quorumAdmin = (client: Client): QuorumAdmin => ({
  describeQuorum: (options) =>
    checked(
      "describeQuorum",
      () => [adminOptions(options, "options")],
      () => describeQuorum(client, options)
    ),
  addVoter: (voter, options) =>
    checked(
      "addVoter",
      () => [aVoter(voter, "voter"), adminOptions(options, "options")],
      () => addVoter(client, voter, options)
    ),
  removeVoter: (voter, options) =>
    checked(
      "removeVoter",
      () => [aMember(voter, "voter"), adminOptions(options, "options")],
      () => removeVoter(client, voter, options)
    ),
  describeFeatures: (options) =>
    checked(
      "describeFeatures",
      () => [adminOptions(options, "options")],
      () => describeFeatures(client, options)
    ),
  updateFeatures: (wanted, options) =>
    checked(
      "updateFeatures",
      () => [updates(wanted, "updates"), changeOptions(options, "options")],
      () => updateFeatures(client, wanted, options)
    )
})
