import type { KafkaError } from "../../../../domain/kernel/error-code.ts"
import type { BrokerId, Epoch, Offset } from "../../../../domain/kernel/id.ts"
import type { PartitionImage } from "../../../../domain/partition/image.ts"
import type { Proposal, ProposalOutcome } from "../../../../domain/partition/in-sync.ts"
import {
  acknowledgedEnd,
  appended,
  type DivergingEpoch,
  divergence,
  fetched,
  fetchRefusal,
  hasEnoughInSync,
  image,
  isLatestKnown,
  type Lead,
  lead,
  proposalAnswered,
  proposalSent,
  type ReplicaFetch,
  started,
  synced,
  tick
} from "../../../../domain/partition/lead.ts"
import type { LogFault } from "../../../ports/log-store.ts"
import { type Committed, CommitWaiters } from "./commit-waiters.ts"

/** The log of the partition that is led, and what happens when its high watermark or its in-sync set changes. */
interface ReplicatedLog {
  readonly end: () => Offset
  readonly start: () => Offset
  /** The end of what counts as durable here: the log's end under log.flush.policy=interval. */
  readonly durableEnd: () => Offset
  readonly highWatermark: () => Offset
  readonly endOfEpoch: (epoch: Epoch) => DivergingEpoch | undefined
  readonly advanced: (highWatermark: Offset) => void
  /** There is a proposal that has not been sent. */
  readonly propose: () => void
  /** ms by the monotonic clock. */
  readonly elapsed: () => number
}

/**
 * What the leader of a partition with several replicas does for them, under one leader epoch: the shell around
 * `domain/partition/lead.ts`.
 */
export class Replication {
  private state: Lead
  private readonly waiters = new CommitWaiters()
  /** Requests that wait for the low watermark: DeleteRecords. */
  private readonly starting = new CommitWaiters()

  constructor(
    id: BrokerId,
    first: PartitionImage,
    private readonly log: ReplicatedLog
  ) {
    this.state = lead(first, { id, end: log.end(), syncedEnd: log.durableEnd(), highWatermark: log.highWatermark(), logStart: log.start(), at: log.elapsed() })
    if (this.state.highWatermark > log.highWatermark()) log.advanced(this.state.highWatermark)
  }

  get isr(): ReadonlyArray<BrokerId> {
    return this.state.isr
  }
  /** Whether acks=all may be appended. */
  get hasEnoughInSync(): boolean {
    return hasEnoughInSync(this.state)
  }
  /** Whether the newest offset is known (KIP-207). */
  get isLatestKnown(): boolean {
    return isLatestKnown(this.state)
  }
  /** What is to be asked of the cluster's leader. */
  get proposal(): Proposal | undefined {
    return this.state.proposal
  }

  /** The in-sync replica among the near brokers that has most of the log, if it has the records from `from` on. */
  nearest(from: Offset, isNear: ((broker: BrokerId) => boolean) | undefined): BrokerId | undefined {
    if (isNear === undefined) return undefined
    const { followers, isr } = this.state
    let found: { readonly id: BrokerId; readonly end: Offset } | undefined
    for (const { end, id, logStart } of followers)
      if (isr.includes(id) && isNear(id) && logStart <= from && from <= end && (found === undefined || end > found.end)) found = { id, end }
    return found?.id
  }

  appended(): void {
    this.step(appended(this.state, this.log.end(), this.log.elapsed()))
  }
  synced(): void {
    this.step(synced(this.state, this.log.durableEnd()))
  }
  imageChanged(now: PartitionImage): void {
    this.step(image(this.state, now, this.log.elapsed()))
  }
  tick(lagMsMax: number): void {
    this.step(tick(this.state, this.log.elapsed(), lagMsMax))
  }
  proposalSent(): void {
    this.step(proposalSent(this.state))
  }
  proposalAnswered(proposal: Proposal, outcome: ProposalOutcome): void {
    this.step(proposalAnswered(this.state, proposal, outcome))
  }

  /** A replica fetches. Returns the error of its fetch, or where its log leaves this one: then nothing is noted. */
  fetched(fetch: ReplicaFetch): KafkaError | DivergingEpoch | undefined {
    const refusal = fetchRefusal(this.state, fetch)
    if (refusal !== undefined) return refusal
    const diverging = divergence(this.state, this.log.endOfEpoch, this.log.start(), fetch)
    if (diverging === undefined) this.step(fetched(started(this.state, this.log.start()), fetch, this.log.elapsed()))
    return diverging
  }

  isCommitted(offset: Offset): boolean {
    return acknowledgedEnd(this.state) > offset
  }
  whenCommitted(offset: Offset, done: Committed): () => void {
    if (!this.isCommitted(offset)) return this.waiters.add(offset, done)
    done(undefined)
    return () => undefined
  }
  /** The smallest start of the logs of all replicas that live or can be elected. */
  get lowWatermark(): Offset {
    return this.state.lowWatermark
  }
  /** Calls `done` when the low watermark is `offset` or above, or when this leadership ends. Returns how to cancel that. */
  whenStarted(offset: Offset, done: Committed): () => void {
    this.step(started(this.state, this.log.start()))
    if (this.lowWatermark < offset) return this.starting.add(offset - 1, done)
    done(undefined)
    return () => undefined
  }
  /** The leadership has ended, or the log has failed. */
  end(fault?: LogFault): void {
    this.waiters.end(fault)
    this.starting.end(fault)
  }

  private step(next: Lead): void {
    const before = this.state
    if (next === before) return
    this.state = next
    if (next.highWatermark > before.highWatermark) this.log.advanced(next.highWatermark)
    const acknowledged = acknowledgedEnd(next)
    if (acknowledged > acknowledgedEnd(before)) this.waiters.reached(acknowledged)
    if (this.starting.size > 0) this.starting.reached(this.lowWatermark)
    if (next.proposal !== undefined && next.proposal.sent === 0 && next.proposal !== before.proposal) this.log.propose()
  }
}
