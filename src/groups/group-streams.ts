import { Either } from "effect"
import type { Load } from "../../domain/group/capacity.ts"
import { streamOf } from "../../domain/group/groups.ts"
import type { GroupId } from "../../domain/group/id.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import type { GroupStream } from "./group-stream.ts"

/** Why this node does not answer for a group: another node coordinates it, or this one is about to. */
export const notCoordinator: Rejection = { error: "NOT_COORDINATOR", message: "This node does not coordinate the group." }
/** Why this node does not answer for a group yet: clients repeat the request, and do not look for another coordinator. */
export const loading: Rejection = { error: "COORDINATOR_LOAD_IN_PROGRESS", message: "This node reads the groups that it is going to coordinate." }

/** The streams over which the groups of the cluster are spread, as far as this node coordinates them. */
export class GroupStreams implements Iterable<GroupStream> {
  private readonly open = new Map<number, GroupStream>()
  private readonly opening = new Set<number>()

  constructor(
    /** Returns the number of streams in the cluster. */
    private readonly countOf: () => number
  ) {}

  get count(): number {
    return this.countOf()
  }

  [Symbol.iterator](): IterableIterator<GroupStream> {
    return this.open.values()
  }

  at(index: number): GroupStream | undefined {
    return this.open.get(index)
  }

  /** The stream of a group. NOT_COORDINATOR where this node has not opened it, COORDINATOR_LOAD_IN_PROGRESS while it does. */
  of(groupId: GroupId): Either.Either<GroupStream, Rejection> {
    const index = streamOf(groupId, this.count)
    const stream = this.open.get(index)
    return stream === undefined ? Either.left(this.opening.has(index) ? loading : notCoordinator) : Either.right(stream)
  }

  /** What the groups of all open streams hold, but for the stream `except`. */
  load(except?: number): Load {
    let [groups, bytes] = [0, 0]
    for (const { index, writer } of this.open.values()) {
      if (index === except) continue
      const { load } = writer.state()
      groups += load.groups
      bytes += load.bytes
    }
    return { groups, bytes }
  }

  markOpening(index: number): void {
    this.opening.add(index)
  }
  unmarkOpening(index: number): void {
    this.opening.delete(index)
  }
  add(stream: GroupStream): void {
    this.open.set(stream.index, stream)
  }
  remove(index: number): void {
    this.open.delete(index)
  }
}
