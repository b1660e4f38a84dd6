import type { ClientKind } from "../clients.ts"
import type { Acknowledgements } from "../pauses.ts"
import type { MemberLine } from "./member-line.ts"

interface WatchedGroupParts {
  readonly kind: ClientKind
  readonly group: string
  readonly topic: string
  /** Where the commits are noted, under the kind. */
  readonly commits: Acknowledgements
  readonly note: (text: string) => void
  readonly complain: (complaint: string) => void
}

/** What the members of one group said, judged as it comes. Everything that the topic has is sent after `settle`. */
export class WatchedGroup {
  processed = 0
  commits = 0
  /** Commits that failed with an error which the next commit may not have. */
  refused = 0
  /** How often committed offsets were read. */
  reads = 0
  private isSettled = false
  /** The partitions of each member whose last line of the group's assignments was one. */
  private readonly assigned = new Map<number, ReadonlyArray<number>>()
  private readonly next = new Map<number, number>()
  /** The offset below which no partition may ever fall: of acknowledged commits, and of those that were read. */
  private readonly least = new Map<number, number>()
  private readonly joins = new Map<number, number>()

  constructor(private readonly parts: WatchedGroupParts) {}

  get kind(): ClientKind {
    return this.parts.kind
  }
  get group(): string {
    return this.parts.group
  }
  /** A copy of the offsets that are known to be committed. */
  get floor(): ReadonlyMap<number, number> {
    return new Map(this.least)
  }
  /** Whether so many members have partitions, and together each of them once: the first rebalances are over then, however long they took. */
  isAssigned(members: number, partitions: number): boolean {
    const all = [...this.assigned.values()].flat()
    return this.assigned.size === members && all.length === partitions && new Set(all).size === partitions
  }
  /** From now on a rebalance is a violation: no member ends. */
  settle(): void {
    this.isSettled = true
  }
  processedTo(partition: number): number {
    return this.next.get(partition) ?? 0
  }

  take(line: MemberLine): void {
    switch (line.kind) {
      case "assigned":
      case "revoked":
        return this.rebalanced(line)
      case "processed":
        return this.process(line.member, line.partition, line.offset)
      case "committed":
        this.commits += 1
        this.parts.commits.add(this.kind, 0, line.atMs)
        this.joined(line.member, line.joins)
        for (const [partition, offset] of line.offsets) this.raise(partition, offset)
        return
      case "refused":
        this.refused += 1
        return this.parts.note(`${this.kind}: a commit of member ${line.member} failed: ${line.text}`)
      case "note":
        return this.parts.note(`${this.kind}: ${line.text}`)
      case "complaint":
        return this.parts.complain(`${this.kind}: ${line.text}`)
    }
  }
  /** Takes committed offsets that were asked for when `floor` was known. */
  read(offsets: ReadonlyMap<number, number>, floor: ReadonlyMap<number, number>): void {
    this.reads += 1
    for (const [partition, least] of floor) {
      const found = offsets.get(partition) ?? -1
      if (found < least) this.parts.complain(`G: the offset of ${this.name(partition)} in ${this.group} is ${found}, and ${least} was committed`)
    }
    for (const [partition, offset] of offsets) this.raise(partition, offset)
  }

  private rebalanced({ kind, member, text }: { readonly kind: string; readonly member: number; readonly text: string }): void {
    if (this.isSettled) return this.parts.complain(`G: ${this.group} was rebalanced, and no member ended: member ${member} of ${this.kind}: ${kind} ${text}`)
    if (kind === "assigned" && text !== "") this.assigned.set(member, text.split(",").map(Number))
    else this.assigned.delete(member)
  }
  /** A rebalance that assigns the same again is one as well. */
  private joined(member: number, joins: number): void {
    const before = this.joins.get(member)
    this.joins.set(member, joins)
    if (before !== undefined && before !== joins)
      this.parts.complain(`G: member ${member} of ${this.group} has joined again, and no member ended: ${joins} after ${before}`)
  }
  /** Without a rebalance every record is processed once, in order. */
  private process(member: number, partition: number, offset: number): void {
    const due = this.processedTo(partition)
    if (offset !== due) this.parts.complain(`G: member ${member} of ${this.group} was given ${this.name(partition)}@${offset} after ${due - 1}`)
    this.next.set(partition, offset + 1)
    this.processed += 1
  }
  private raise(partition: number, offset: number): void {
    this.least.set(partition, Math.max(offset, this.least.get(partition) ?? 0))
  }
  private name(partition: number): string {
    return `${this.parts.topic}-${partition}`
  }
}
