import { Effect } from "effect"
import type { Lead } from "../../../domain/partition/lead.ts"
import { Leading } from "../../../src/broker/partition/leading/leading.ts"
import { Replication } from "../../../src/broker/partition/leading/replication.ts"
import { DerivedState } from "../../../src/broker/partition/replica/derived-state.ts"
import { FollowedLog } from "../../../src/broker/partition/replica/followed-log.ts"
import { Following } from "../../../src/broker/partition/replica/following.ts"
import { HighWatermarks } from "../../../src/broker/partition/upkeep/high-watermarks.ts"
import { Fetches } from "../../../src/broker/replication/fetches.ts"
import { SessionPartition } from "../../../src/serve/fetch/fetch-session.ts"
import { exchanged } from "./exchanged.ts"
import type { Mutant } from "./mutant.ts"

/** As `exchanged`, for a getter. */
const answered = <A>(prototype: object, name: string, value: (self: unknown) => A): (() => void) => {
  const real = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor
  Object.defineProperty(prototype, name, {
    ...real,
    get() {
      return value(this)
    }
  })
  return () => void Object.defineProperty(prototype, name, real)
}
const both = (one: () => void, other: () => void) => () => {
  one()
  other()
}

/** What a mutant reads of a class that keeps it for itself. */
interface Inside {
  state: Lead
  readonly log: { readonly end: () => number; readonly advanced: (offset: number) => void }
  readonly replica: { readonly state: { readonly end: number } }
}
const inside = (self: unknown): Inside => self as Inside

/**
 * `likelySeed`: where it is looked for first; without one a run reaches it rarely or never, and
 * `test/src/broker/replication/planted.test.ts` or the model has it.
 */
const replicated = (name: string, mistake: string, plant: () => () => void, likelySeed?: number): Mutant => ({
  name,
  mistake,
  plant,
  isReplicated: true,
  ...(likelySeed === undefined ? { isRare: true } : { likelySeed })
})

const commitByLeaderAlone = replicated(
  "commit-by-leader-alone",
  "acks=all is answered when the leader of the partition has synced the records",
  () =>
    both(
      exchanged(
        Leading.prototype,
        "isCommitted",
        () =>
          function (this: Leading, offset) {
            return this.isSynced(offset)
          }
      ),
      exchanged(
        Leading.prototype,
        "whenCommitted",
        () =>
          function (this: Leading, offset, done) {
            return this.whenSynced(offset, done)
          }
      )
    ),
  2
)

const duplicateUncommitted = replicated(
  "duplicate-uncommitted",
  "a batch that is sent again is acknowledged although it is above the high watermark",
  () => {
    const repeated = new WeakMap<Leading, Set<number>>()
    return both(
      exchanged(
        Leading.prototype,
        "append",
        (real) =>
          function (this: Leading, ...args) {
            const before = inside(this).replica.state.end
            const result = real.apply(this, args)
            if (result._tag === "Right" && inside(this).replica.state.end === before)
              repeated.set(this, (repeated.get(this) ?? new Set<number>()).add(result.right.lastOffset))
            return result
          }
      ),
      exchanged(
        Leading.prototype,
        "isCommitted",
        (real) =>
          function (this: Leading, offset) {
            return repeated.get(this)?.has(offset) === true || real.call(this, offset)
          }
      )
    )
  },
  4
)

const waitersOutliveLeadership = replicated(
  "waiters-outlive-leadership",
  "requests that wait for a commit are acknowledged when the leadership ends",
  () => answered(Leading.prototype, "isCurrent", () => true),
  5
)

const answerBeforeEvent = replicated("answer-before-event", "the leader of a partition goes by the answer to AlterPartition, and not by the event", () =>
  exchanged(
    Replication.prototype,
    "proposalAnswered",
    (real) =>
      function (this: Replication, proposal, outcome) {
        real.call(this, proposal, outcome)
        const { state } = inside(this)
        if (outcome !== "decided" || state.proposal !== proposal) return
        inside(this).state = { ...state, isr: proposal.isr, maximal: proposal.isr, partitionEpoch: state.partitionEpoch + 1, proposal: undefined }
      }
  )
)

const minIsrIgnored = replicated(
  "min-isr-ignored",
  "the leader of a partition commits with fewer in-sync replicas than min.insync.replicas",
  () =>
    exchanged(
      Replication.prototype,
      "imageChanged",
      (real) =>
        function (this: Replication, now) {
          real.call(this, { ...now, minIsr: 1 })
        }
    ),
  5
)

const highWatermarkIsEnd = replicated(
  "high-watermark-is-end",
  "the high watermark of a leader is the end of its log",
  () =>
    exchanged(
      Replication.prototype,
      "appended",
      (real) =>
        function (this: Replication) {
          real.call(this)
          const { log, state } = inside(this)
          inside(this).state = { ...state, highWatermark: log.end() }
          log.advanced(log.end())
        }
    ),
  1
)

const highWatermarkForgotten = replicated("high-watermark-forgotten", "a replica that opens its log takes all of it for committed", () =>
  exchanged(HighWatermarks.prototype, "of", () => () => Number.MAX_SAFE_INTEGER)
)

const unfencedFetch = replicated("unfenced-fetch", "the leader of a partition counts fetches under other leader epochs", () =>
  exchanged(
    Replication.prototype,
    "fetched",
    (real) =>
      function (this: Replication, fetch) {
        return real.call(this, { ...fetch, leaderEpoch: inside(this).state.epoch })
      }
  )
)

const oldBrokerEpoch = replicated("old-broker-epoch", "the leader of a partition counts fetches of a broker's earlier process", () =>
  exchanged(
    Replication.prototype,
    "fetched",
    (real) =>
      function (this: Replication, fetch) {
        const brokerEpoch = inside(this).state.followers.find(({ id }) => id === fetch.id)?.brokerEpoch
        return real.call(this, { ...fetch, brokerEpoch: brokerEpoch ?? fetch.brokerEpoch })
      }
  )
)

const fetchBeforeSync = replicated(
  "fetch-before-sync",
  "a follower names an offset that it has not synced",
  () =>
    exchanged(
      Following.prototype,
      "fetch",
      (real) =>
        function (this: Following) {
          const followed = this as unknown as { state: { readonly end: number; readonly syncedEnd: number }; sync: Effect.Effect<void> }
          followed.sync = Effect.void
          followed.state = { ...followed.state, syncedEnd: followed.state.end }
          return real.call(this)
        }
    ),
  1
)

const namedWhileCut = replicated("named-while-cut", "a follower names the end of its log while an answer of the leader cuts it", () =>
  answered(FollowedLog.prototype, "isChanging", () => false)
)

const earlierAnswer = replicated("earlier-answer", "a follower takes the answer to an earlier fetch for the answer to the last one", () =>
  exchanged(
    Fetches.prototype,
    "answeredBy",
    (real) =>
      function (this: Fetches, key) {
        return real.call(this, key, Number.MAX_SAFE_INTEGER)
      }
  )
)

const givenAgain = replicated("given-again", "a leader gives a replica its records again with each answer, until it names the partition", () =>
  exchanged(
    SessionPartition.prototype,
    "told",
    (real) =>
      function (this: SessionPartition, ...args) {
        const isDue = real.apply(this, args)
        const partition = this as unknown as { isGiven: boolean }
        const wasGiven = partition.isGiven
        partition.isGiven = false
        return isDue || wasGiven
      }
  )
)

const cutIgnored = replicated("cut-ignored", "a follower does not cut its log where it leaves that of the leader", () =>
  exchanged(FollowedLog.prototype, "cutTo", () => () => Effect.void)
)

const epochsNotCut = replicated("epochs-not-cut", "the leader epochs of records that a follower cuts stay in its cache", () =>
  exchanged(
    DerivedState.prototype,
    "refold",
    (real) =>
      function (this: DerivedState, options) {
        const { epochs } = this
        return Effect.map(real.call(this, options), () => {
          this.epochs = epochs
        })
      }
  )
)

const producersNotFollowed = replicated(
  "producers-not-followed",
  "a follower does not fold the producers of the batches that it appends",
  () =>
    exchanged(
      DerivedState.prototype,
      "follow",
      (real) =>
        function (this: DerivedState, batches, now) {
          const { producers } = this.log
          real.call(this, batches, now)
          this.log = { ...this.log, producers }
        }
    ),
  2
)

/** Mistakes with several replicas, above the pure functions of domain/partition. */
export const replicaMutants: ReadonlyArray<Mutant> = [
  commitByLeaderAlone,
  duplicateUncommitted,
  waitersOutliveLeadership,
  answerBeforeEvent,
  minIsrIgnored,
  highWatermarkIsEnd,
  highWatermarkForgotten,
  unfencedFetch,
  oldBrokerEpoch,
  fetchBeforeSync,
  namedWhileCut,
  earlierAnswer,
  givenAgain,
  cutIgnored,
  epochsNotCut,
  producersNotFollowed
]
