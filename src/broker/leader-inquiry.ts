import { Data, Effect } from "effect"
import { metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { type Address, formatAddress } from "../ports/transport.ts"
import { Fetch } from "../protocol/message/01-fetch.ts"
import type { ResponseOf } from "../protocol/type/wire.ts"
import type { CallFault } from "../wire/fault.ts"
import type { Link } from "../wire/link.ts"
import type { LeaderPointer, NamedLeader } from "./leader-pointer.ts"

/**
 * A candidate does not lead, or leads under an older epoch than one that this broker has seen: nothing of it is used.
 * "moved": the broker has found another that leads.
 */
export class NotLeading extends Data.TaggedError("NotLeading")<{ readonly message: string; readonly reason: "older" | "stands by" | "silent" | "moved" }> {}

/** What a candidate says of itself. */
type Standing =
  | { readonly _tag: "leads"; readonly epoch: number }
  /** It leads, and knows of no epoch as new as the one that it was asked with. */
  | { readonly _tag: "older" }
  | { readonly _tag: "names"; readonly leader: NamedLeader }
  | { readonly _tag: "unknown"; readonly error: string }

/** A first Fetch: no records are wanted of it. A leader of another epoch refuses it, as of KIP-320. */
const inquiry = (epoch: number) => ({
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1,
  topics: [
    {
      topic: metadataTopic,
      topicId: metadataTopicId,
      partitions: [{ partition: 0, currentLeaderEpoch: Math.max(0, epoch), fetchOffset: 0n, partitionMaxBytes: 1 }]
    }
  ]
})

const standingOf = ({ errorCode, nodeEndpoints, responses }: ResponseOf<typeof Fetch>, epoch: number): Standing => {
  const partition = responses[0]?.partitions[0]
  const error = kafkaError(errorCode === 0 ? (partition?.errorCode ?? -1) : errorCode)
  const { leaderEpoch, leaderId } = partition?.currentLeader ?? { leaderEpoch: -1, leaderId: -1 }
  switch (error) {
    case "NONE":
    case "OFFSET_OUT_OF_RANGE":
      return { _tag: "leads", epoch }
    case "FENCED_LEADER_EPOCH":
      return { _tag: "leads", epoch: Math.max(epoch, leaderEpoch) }
    case "UNKNOWN_LEADER_EPOCH":
      return { _tag: "older" }
    case "NOT_LEADER_OR_FOLLOWER": {
      const node = nodeEndpoints.find(({ nodeId }) => nodeId === leaderId)
      return node === undefined ? { _tag: "unknown", error } : { _tag: "names", leader: { epoch: leaderEpoch, address: { host: node.host, port: node.port } } }
    }
    default:
      return { _tag: "unknown", error }
  }
}

const ask = (link: Link, epoch: number): Effect.Effect<Standing, CallFault> =>
  Effect.map(link.call(Fetch, inquiry(epoch)), (answer) => standingOf(answer, epoch))

const refusal = (at: Address, standing: Exclude<Standing, { readonly _tag: "leads" }>, epoch: number): NotLeading => {
  const node = `The node at ${formatAddress(at)}`
  switch (standing._tag) {
    case "older":
      return new NotLeading({
        reason: "older",
        message: `${node} answers as a leader of an older epoch than ${epoch}, which this broker has seen: nothing of it is used.`
      })
    case "names": {
      const { address, epoch: named } = standing.leader
      const older = named < epoch ? `, of an older epoch than ${epoch}, which this broker has seen` : ""
      return new NotLeading({ reason: "stands by", message: `${node} stands by, and names the leader of epoch ${named} at ${formatAddress(address)}${older}.` })
    }
    case "unknown":
      return new NotLeading({ reason: "stands by", message: `${node} does not lead, and names no leader (${standing.error}).` })
  }
}

/** Asks the node on a new link whether it leads. Follows the leader that a standby names. Fails with NotLeading where it does not lead. */
export const confirmLeader = (link: Link, pointer: LeaderPointer): Effect.Effect<void, CallFault | NotLeading> =>
  Effect.flatMap(
    Effect.suspend(() => ask(link, pointer.epoch)),
    (standing) => {
      if (standing._tag === "leads" && standing.epoch >= pointer.epoch) return Effect.sync(() => pointer.confirm(link.address, standing.epoch))
      const before = pointer.current
      if (standing._tag === "names") pointer.follow(standing.leader)
      const refused = refusal(link.address, standing._tag === "leads" ? { _tag: "older" } : standing, pointer.epoch)
      return Effect.fail(refused.reason !== "older" && pointer.current !== before ? new NotLeading({ ...refused, reason: "moved" }) : refused)
    }
  )

/** Asks a candidate who leads, and moves the pointer where that is a leader of a newer epoch, or where no leader is known. */
export const askCandidate = (link: Link, pointer: LeaderPointer): Effect.Effect<void, CallFault> =>
  Effect.map(
    Effect.suspend(() => ask(link, pointer.epoch)),
    (standing) => {
      const found = standing._tag === "names" ? standing.leader : standing._tag === "leads" ? { epoch: standing.epoch, address: link.address } : undefined
      if (found !== undefined && (!pointer.isConfirmed || found.epoch > pointer.epoch)) pointer.follow(found)
    }
  )
