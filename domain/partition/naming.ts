import type { NextFetch } from "./follow.ts"

/**
 * Which answers of a fetch session concern a partition, while two requests are under way.
 *
 * A session keeps partitions (KIP-227): a request names only those whose position is new, and the response may have any
 * partition that an earlier request named. The leader handles the requests of a session in their order. So the response
 * to request n is about a partition as the last request up to n named it. The follower numbers its requests, and notes
 * with each partition which one named it last. A response to an earlier request says nothing about it: it may be about
 * an earlier leader epoch, or about an offset from which the log has the records by now (KAFKA-7786).
 *
 * What a response says first about a naming, other than that there are no records, ends it: records, an error, or where
 * the log leaves the leader's. The leader is silent about the partition then until it is named again, so that what was
 * given once is not given again while the follower works on it.
 */
export interface Naming {
  /** What the fetch said, with the number under which the follower of the partition knows it. */
  readonly sent: NextFetch
  /** The number of the request, from 1 on. */
  readonly request: number
}

const isSamePosition = (one: NextFetch, other: NextFetch): boolean =>
  one.offset === other.offset && one.leaderEpoch === other.leaderEpoch && one.lastFetchedEpoch === other.lastFetchedEpoch

/**
 * Returns the naming of a partition that `request` names. One that has no answer yet, and is named again with a new
 * start of its log, keeps its number: the answer to the earlier request is about the same position.
 */
export const named = (before: Naming | undefined, sent: NextFetch, request: number): Naming =>
  before !== undefined && before.sent.fetch === sent.fetch && isSamePosition(before.sent, sent) ? before : { sent, request }

/** Whether the response to `request` is about the partition as it was named last. */
export const isAbout = (naming: Naming, request: number): boolean => request >= naming.request

/**
 * Returns the naming after a response without records for the partition, where a later request is under way that does
 * not name it: the session continues with its offset, and the response to the later request may have its records. `next`
 * is the fetch that the follower would send; undefined where that is another one, which the next request has to name.
 */
export const wentOn = ({ request, sent }: Naming, next: NextFetch): Naming | undefined => (isSamePosition(sent, next) ? { sent: next, request } : undefined)
