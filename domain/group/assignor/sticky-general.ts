import { partitionCount, type StickyInput } from "./sticky-input.ts"
import { Movements } from "./sticky-movements.ts"

/**
 * Members subscribe to different topics: the assignment is as balanced as it can be (no member could take a partition
 * from one that has two more), and few partitions move. Follows the general algorithm of Java's AbstractStickyAssignor
 * step by step, but looks for imbalance by topic instead of by partition, so that its cost does not grow with the
 * square of the partitions.
 */
export const assignGeneral = (input: StickyInput): ReadonlyArray<ReadonlyArray<number>> => {
  const balance = new Balance(input)
  const free = balance.keepOwned()
  const fresh = balance.isEmpty
  for (const ordinal of free) balance.give(ordinal)
  balance.fixWhatCannotMove()
  const before = balance.copy()
  const movableFree = free.filter((ordinal) => balance.canMove(ordinal))
  if (!balance.revoked) balance.improve(movableFree)
  const improved = balance.improve(balance.order.filter((ordinal) => balance.canMove(ordinal)))
  // What is no better is not worth moving for.
  if (!fresh && improved && balance.score() >= before.score()) return before.assigned()
  return balance.assigned()
}

const noOwner = -1

class Balance {
  /** All partitions, those first that the fewest members may have. */
  readonly order: ReadonlyArray<number>
  /** Some member holds what it no longer subscribes to. */
  revoked = false
  readonly #candidates: ReadonlyArray<ReadonlyArray<number>>
  readonly #movements: Movements
  #owner: Int32Array
  #sizes: Int32Array
  /** How many partitions of each topic each member owns. */
  #owners: Array<Map<number, number>>
  /**
   * Members that are not part of the balancing: no other member may have their partitions, and they have all that they
   * may have.
   */
  readonly #fixed: Set<number>
  /** Whether anything can be improved; undefined after a change. */
  #balanced: boolean | undefined

  constructor(
    readonly input: StickyInput,
    from?: Balance
  ) {
    const { topics, members, starts, subscribed } = input
    this.#movements = new Movements(input.topicOf)
    if (from !== undefined) {
      this.order = from.order
      this.#candidates = from.#candidates
      this.#owner = from.#owner.slice()
      this.#sizes = from.#sizes.slice()
      this.#owners = from.#owners.map((owners) => new Map(owners))
      this.#fixed = from.#fixed
      return
    }
    const candidates = topics.map((): Array<number> => [])
    subscribed.forEach((wanted, member) => {
      for (const topic of wanted) candidates[topic]?.push(member)
    })
    this.#candidates = candidates
    this.order = topics
      .map((_, topic) => topic)
      .sort((a, b) => (candidates[a]?.length ?? 0) - (candidates[b]?.length ?? 0) || a - b)
      .flatMap((topic) => Array.from({ length: (starts[topic + 1] ?? 0) - (starts[topic] ?? 0) }, (_, partition) => (starts[topic] ?? 0) + partition))
    this.#owner = new Int32Array(partitionCount(input)).fill(noOwner)
    this.#sizes = new Int32Array(members.length)
    this.#owners = topics.map(() => new Map())
    this.#fixed = new Set()
  }

  #topic(ordinal: number): number {
    return this.input.topicOf[ordinal] ?? 0
  }
  #size(member: number): number {
    return this.#sizes[member] ?? 0
  }

  #assign(ordinal: number, member: number): void {
    const owners = this.#owners[this.#topic(ordinal)]
    const old = this.#owner[ordinal] ?? noOwner
    if (old !== noOwner) {
      this.#sizes[old] = this.#size(old) - 1
      const left = (owners?.get(old) ?? 0) - 1
      if (left > 0) owners?.set(old, left)
      else owners?.delete(old)
    }
    this.#owner[ordinal] = member
    this.#sizes[member] = this.#size(member) + 1
    owners?.set(member, (owners.get(member) ?? 0) + 1)
    this.#balanced = undefined
  }

  /** Every member keeps the partitions that it owned and still subscribes to. Returns the free ones. */
  keepOwned(): ReadonlyArray<number> {
    this.input.owned.forEach((held, member) => {
      for (const ordinal of held) {
        if (this.input.subscribed[member]?.has(this.#topic(ordinal)) === true) this.#assign(ordinal, member)
        else this.revoked = true
      }
    })
    return this.order.filter((ordinal) => this.#owner[ordinal] === noOwner)
  }

  get isEmpty(): boolean {
    return this.#sizes.every((size) => size === 0)
  }

  /** The candidate with the fewest partitions; of several the first by id. */
  #poorest(topic: number): number | undefined {
    let best: number | undefined
    for (const member of this.#candidates[topic] ?? []) if (best === undefined || this.#size(member) < this.#size(best)) best = member
    return best
  }

  /** Gives a free partition to the member that has the fewest. */
  give(ordinal: number): void {
    const member = this.#poorest(this.#topic(ordinal))
    if (member !== undefined) this.#assign(ordinal, member)
  }

  /** Returns whether another member could own it. */
  canMove(ordinal: number): boolean {
    return (this.#candidates[this.#topic(ordinal)]?.length ?? 0) >= 2
  }

  fixWhatCannotMove(): void {
    const { subscribed, starts } = this.input
    subscribed.forEach((wanted, member) => {
      let most = 0
      let shares = false
      for (const topic of wanted) {
        most += (starts[topic + 1] ?? 0) - (starts[topic] ?? 0)
        if (this.#owners[topic]?.has(member) === true && (this.#candidates[topic]?.length ?? 0) >= 2) shares = true
      }
      if (this.#size(member) >= most && !shares) this.#fixed.add(member)
    })
  }

  /** No member could take a partition from one that has two more. */
  #isBalanced(): boolean {
    this.#balanced ??= this.#evenly() || this.input.topics.every((_, topic) => this.#topicBalanced(topic))
    return this.#balanced
  }

  #evenly(): boolean {
    let least = Number.POSITIVE_INFINITY
    let most = 0
    this.#sizes.forEach((size, member) => {
      if (this.#fixed.has(member)) return
      least = Math.min(least, size)
      most = Math.max(most, size)
    })
    return least >= most - 1
  }

  #topicBalanced(topic: number): boolean {
    const poorest = this.#poorest(topic)
    if (poorest === undefined) return true
    let most = 0
    for (const owner of this.#owners[topic]?.keys() ?? []) most = Math.max(most, this.#size(owner))
    return this.#size(poorest) + 1 >= most
  }

  /**
   * The member that a partition should go to instead, if any: the one that had it before, or the poorest, when its
   * owner has two more.
   */
  #betterOwner(ordinal: number, owner: number): number | undefined {
    const topic = this.#topic(ordinal)
    const size = this.#size(owner)
    const previous = this.input.previous.get(ordinal)?.member
    if (previous !== undefined && !this.#fixed.has(previous) && this.input.subscribed[previous]?.has(topic) === true && size > this.#size(previous) + 1) {
      return previous
    }
    const poorest = this.#poorest(topic)
    return poorest !== undefined && size > this.#size(poorest) + 1 ? poorest : undefined
  }

  /**
   * Moves partitions from members that have more to members that have fewer, as long as the balance improves. Returns
   * whether one moved.
   */
  improve(movable: ReadonlyArray<number>): boolean {
    let improved = false
    // Every pass but the last moves a partition towards balance. More passes than partitions would be a defect, and
    // must not hang a consumer.
    for (let pass = 0; pass <= this.#owner.length; pass++) {
      let moved = false
      for (const ordinal of movable) {
        if (this.#isBalanced()) break
        const owner = this.#owner[ordinal] ?? noOwner
        const better = owner === noOwner ? undefined : this.#betterOwner(ordinal, owner)
        if (better === undefined) continue
        const actual = this.#movements.better(ordinal, owner, better)
        this.#movements.move(actual, this.#owner[actual] ?? noOwner, better)
        this.#assign(actual, better)
        moved = true
      }
      improved ||= moved
      if (!moved) break
    }
    return improved
  }

  /** The sum of the differences in size over all pairs of members that are balanced: 0 is perfect. */
  score(): number {
    const sizes = Array.from(this.#sizes.filter((_, member) => !this.#fixed.has(member))).sort((a, b) => a - b)
    return sizes.reduce((sum, size, i) => sum + size * (2 * i - sizes.length + 1), 0)
  }

  copy(): Balance {
    return new Balance(this.input, this)
  }

  assigned(): ReadonlyArray<ReadonlyArray<number>> {
    const lists = this.input.members.map((): Array<number> => [])
    this.#owner.forEach((member, ordinal) => {
      if (member !== noOwner) lists[member]?.push(ordinal)
    })
    return lists
  }
}
