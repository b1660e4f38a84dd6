import type { Clock } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../../domain/kernel/config/listener.ts"

/** A process that stands by for the leader, by its last report. Timestamps are ms since 1970. */
interface Candidate {
  readonly nodeId: number
  readonly listeners: ReadonlyArray<NamedEndpoint>
  /** The event that it reads next. */
  readonly endOffset: number
  readonly reportedAt: number
  /** When it last had every event of that time; -1: not yet. */
  readonly caughtUpAt: number
}

/** Candidates that are known at a time; a further one replaces the one that was silent for the longest. */
const candidatesMax = 32
/** How long a silent candidate is described, ms: Kafka's time for observers of a quorum. */
const forgottenAfterMs = 300_000

/** The candidates that stand by. Not journalled: each reports to a new leader within a second or two. */
export class Candidates {
  private readonly byNode = new Map<number, Candidate>()

  constructor(
    private readonly clock: Clock.Clock,
    private readonly cluster: () => Cluster
  ) {}

  /** Records a report. `logEndOffset` is the index of the event that the candidate reads next. */
  record(nodeId: number, listeners: ReadonlyArray<NamedEndpoint>, logEndOffset: number): void {
    const now = this.clock.unsafeCurrentTimeMillis()
    const { index } = this.cluster()
    const endOffset = Math.min(index, Math.max(0, logEndOffset))
    const caughtUpAt = endOffset === index ? now : (this.byNode.get(nodeId)?.caughtUpAt ?? -1)
    // The last one to report is the last in the map.
    this.byNode.delete(nodeId)
    this.byNode.set(nodeId, { nodeId, listeners, endOffset, reportedAt: now, caughtUpAt })
    const [silent] = this.byNode.keys()
    if (this.byNode.size > candidatesMax && silent !== undefined) this.byNode.delete(silent)
  }

  /** Returns the candidates that reported in the last five minutes, by rising id. */
  list(): ReadonlyArray<Candidate> {
    const now = this.clock.unsafeCurrentTimeMillis()
    return [...this.byNode.values()].filter(({ reportedAt }) => now - reportedAt < forgottenAfterMs).sort((one, other) => one.nodeId - other.nodeId)
  }
}
