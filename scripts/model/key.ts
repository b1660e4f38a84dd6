import type { Follower, Proposal } from "../../domain/partition/in-sync.ts"
import type { ModelState, Replica, Version } from "./state.ts"

/**
 * Two states that differ in the numbers of the replicas alone are one state. Numbers that only rise (partition epochs,
 * broker epochs) are written relative to those of the journal, so that a set that shrinks and grows is no new state.
 */

const bit = (is: boolean): string => (is ? "1" : "0")
/** An epoch of the journal or an older one: which older one makes no difference, since it is refused. */
const age = (epoch: number, now: number): string => (epoch === now ? "=" : epoch < now ? "<" : ">")

/** What a text has of a response. */
const ofResponse = ({ answer, record, sent }: NonNullable<Replica["response"]>): string => {
  let text = `${sent.leaderEpoch},${sent.offset},${sent.lastFetchedEpoch}${record === undefined ? "" : `${record.epoch}${record.id}`}`
  if (answer._tag === "records") text += `h${answer.highWatermark}${answer.logStart === 0 ? "" : `d${answer.logStart}`}`
  if (answer._tag === "diverging") text += `x${answer.diverging.epoch},${answer.diverging.endOffset}`
  return text
}

/** What a version of the journal says about one replica. */
const inVersion = ({ brokers, partition }: Version, index: number, now: Version): string => {
  const registration = brokers[index]
  const id = index as (typeof partition.replicas)[number]
  const bits =
    (partition.leader === index ? 8 : 0) + (partition.isr.includes(id) ? 4 : 0) + (partition.elr.includes(id) ? 2 : 0) + (registration?.isFenced ? 1 : 0)
  return `${bits.toString(16)}${age(registration?.epoch ?? 0, now.brokers[index]?.epoch ?? 0)}`
}

const ofReplica = (replica: Replica): string => {
  const { follow, highWatermark, isUp, late, lead, log, response, starts, synced } = replica
  let text = isUp ? "u" : "d"
  for (const { epoch, id } of log) text += `${epoch}${id}`
  text += `s${synced}e`
  for (const { epoch, offset } of starts) text += `${epoch}${offset}`
  if (lead !== undefined) text += `L${lead.epoch},${lead.epochStart},${lead.highWatermark},${lead.syncedEnd},${lead.minIsr}`
  else if (follow !== undefined) text += `F${follow.leaderEpoch},${follow.highWatermark}${bit(follow.isAligned)}${bit(follow.isWaiting)}`
  else text += `N${highWatermark}`
  if (replica.start > 0) text += `D${replica.start}`
  if (lead !== undefined && lead.logStart > 0) text += `d${lead.firstLogStart},${lead.lowWatermark}`
  if (response !== undefined) text += `R${ofResponse(response)}`
  // Of its fetch's number it matters alone whether that may still be the present one: after a leadership the numbers begin anew.
  if (late !== undefined) text += `l${ofResponse(late)}${bit(late.sent.fetch === follow?.fetch)}`
  return text
}

const replicaTexts = new WeakMap<Replica, string>()
const textOfReplica = (replica: Replica): string => {
  const known = replicaTexts.get(replica)
  if (known !== undefined) return known
  const made = ofReplica(replica)
  replicaTexts.set(replica, made)
  return made
}

/**
 * A replica's own text with what the journal says about it. Its image has done what it does already, by the role: of the
 * image itself only the registration matters under which the broker sends.
 */
const ownText = ({ now, replicas, unread }: ModelState, index: number): string => {
  const replica = replicas[index] as Replica
  const { image, lead } = replica
  const epoch = now.brokers[index]?.epoch ?? 0
  const text = `${textOfReplica(replica)}${image === undefined ? "-" : age(image.brokers[index]?.epoch ?? 0, epoch)}${inVersion(now, index, now)}`
  const own = lead === undefined ? text : `${text}p${age(lead.partitionEpoch, now.partition.partitionEpoch)}`
  return unread.length === 0 ? own : own + ofUnread(unread, replica, index, now)
}

/** What the versions say about one replica that its image may still read, and which of them its image has. */
const ofUnread = (unread: ReadonlyArray<Version>, { image, lead }: Replica, index: number, now: Version): string => {
  let text = `U${image === undefined ? "-" : image === now ? "=" : unread.indexOf(image)}`
  for (const version of unread) {
    text += `,${inVersion(version, index, now)}`
    if (lead !== undefined) text += age(lead.partitionEpoch, version.partition.partitionEpoch)
  }
  return text
}

const ofFollower = (follower: Follower | undefined, now: Version): string => {
  if (follower === undefined) return "-"
  const { behindSince, brokerEpoch, end, id, isIneligible, isLagging, logStart, mayJoin } = follower
  return `${end}${logStart === 0 ? "" : `d${logStart}`}${bit(behindSince < 0)}${bit(isLagging)}${bit(isIneligible)}${bit(mayJoin)}${age(brokerEpoch, now.brokers[id]?.epoch ?? 0)}`
}
const bitsOf = (ids: ReadonlyArray<number> | undefined, order: ReadonlyArray<number>): string =>
  ids === undefined ? "-" : order.map((index) => bit(ids.includes(index))).join("")

/** The broker epochs of a proposal, by an order of the replicas. */
const epochsOf = ({ brokerEpochs, isr }: Proposal, order: ReadonlyArray<number>, now: Version): string => {
  let text = ""
  for (const index of order) {
    const at = isr.findIndex((id) => id === index)
    text += at < 0 ? "-" : age(brokerEpochs[at] ?? 0, now.brokers[index]?.epoch ?? 0)
  }
  return text
}

/** What replicas, requests and the journal say about each other, by an order of the replicas. */
const between = (state: ModelState, order: ReadonlyArray<number>, now: Version): string => {
  let text = ""
  for (const index of order) {
    const { follow, lead } = state.replicas[index] as Replica
    if (follow !== undefined) text += `f${follow.leader === -1 ? "-" : order.indexOf(follow.leader)}`
    if (lead === undefined) continue
    text += `l${bitsOf(lead.isr, order)}${bitsOf(lead.maximal, order)}${bitsOf(lead.proposal?.isr, order)}${lead.proposal === undefined ? "" : `${lead.proposal.sent}${epochsOf(lead.proposal, order, now)}`}`
    for (const other of order)
      if (other !== index)
        text += `,${ofFollower(
          lead.followers.find(({ id }) => id === other),
          now
        )}`
  }
  const alters = state.alters.map(({ brokerEpoch, by, proposal }) => {
    const { isr, leaderEpoch, partitionEpoch } = proposal
    const epochs = epochsOf(proposal, order, now)
    const present = state.replicas[by]?.lead?.proposal
    const isPresent = present !== undefined && present.partitionEpoch === partitionEpoch && present.leaderEpoch === leaderEpoch
    const epoch = `${leaderEpoch}${age(partitionEpoch, now.partition.partitionEpoch)}${age(brokerEpoch, now.brokers[by]?.epoch ?? 0)}`
    return `${order.indexOf(by)}${epoch}${bit(isPresent)}${bitsOf(isr, order)}${epochs}`
  })
  return `${text}A${alters.sort().join("/")}`
}

/** All orders of the replicas in which their own texts rise. */
const ordersOf = (texts: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<number>> => {
  const sorted = texts
    .map((_, index) => index)
    .sort((one, other) => ((texts[one] as string) < (texts[other] as string) ? -1 : texts[one] === texts[other] ? one - other : 1))
  let orders: ReadonlyArray<ReadonlyArray<number>> = [[]]
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1
    while (to < sorted.length && texts[sorted[to] as number] === texts[sorted[from] as number]) to++
    const permuted = permutations(sorted.slice(from, to))
    orders = orders.flatMap((order) => permuted.map((part) => [...order, ...part]))
    from = to
  }
  return orders
}
const permutations = (of: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  of.length < 2 ? [of] : of.flatMap((first) => permutations(of.filter((one) => one !== first)).map((rest) => [first, ...rest]))

/** Returns a text that two states share if, and only if, they differ in the numbers of their replicas alone. */
export const keyOf = (state: ModelState): string => {
  const { now } = state
  const texts = state.replicas.map((_, index) => ownText(state, index))
  let least: string | undefined
  for (const order of ordersOf(texts)) {
    const text = between(state, order, now)
    if (least === undefined || text < least) least = text
  }
  const versions = [...state.unread, now].map(({ minIsr, partition }) => `${partition.leaderEpoch}${minIsr}`)
  return `${texts.sort().join("|")}${least}V${versions}${state.appended}${state.cuts === 0 ? "" : `c${state.cuts}`}`
}
