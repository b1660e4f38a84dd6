/**
 * Elements of one leaf: a change copies one leaf and the list of leaves, so that 10,000 elements cost about 220 copies,
 * not 10,000.
 */
const leafSize = 64

/**
 * An immutable list with cheap `set` and `push`: old versions stay as they were. For lists of thousands that change one
 * element at a time (the partitions of a topic), where a plain array would make a replay quadratic.
 */
export class Vector<A> implements Iterable<A> {
  private constructor(
    private readonly leaves: ReadonlyArray<ReadonlyArray<A>>,
    readonly length: number
  ) {}

  static readonly empty: Vector<never> = new Vector<never>([], 0)

  static from<A>(elements: ReadonlyArray<A>): Vector<A> {
    const leaves: Array<ReadonlyArray<A>> = []
    for (let at = 0; at < elements.length; at += leafSize) leaves.push(elements.slice(at, at + leafSize))
    return new Vector(leaves, elements.length)
  }

  /** The element at `index`; undefined outside of 0 to length - 1. */
  at(index: number): A | undefined {
    return this.leaves[Math.floor(index / leafSize)]?.[index % leafSize]
  }

  /** A list that has `element` at `index`; the same list when there is no such index. */
  set(index: number, element: A): Vector<A> {
    const leafAt = Math.floor(index / leafSize)
    const leaf = this.leaves[leafAt]
    if (leaf === undefined || !(index % leafSize in leaf)) return this
    const leaves = this.leaves.slice()
    const changed = leaf.slice()
    changed[index % leafSize] = element
    leaves[leafAt] = changed
    return new Vector(leaves, this.length)
  }

  push(element: A): Vector<A> {
    const leaves = this.leaves.slice()
    const last = leaves[leaves.length - 1]
    if (last === undefined || last.length === leafSize) leaves.push([element])
    else leaves[leaves.length - 1] = [...last, element]
    return new Vector(leaves, this.length + 1)
  }

  /**
   * The list with `change` for each element. Leaves in which no element changed are shared, and a list in which none
   * did is the same list.
   */
  change(change: (element: A) => A): Vector<A> {
    let same = true
    const leaves = this.leaves.map((leaf) => {
      const changed = leaf.map(change)
      if (changed.every((element, at) => element === leaf[at])) return leaf
      same = false
      return changed
    })
    return same ? this : new Vector(leaves, this.length)
  }

  map<B>(change: (element: A, index: number) => B): Array<B> {
    const changed: Array<B> = []
    let index = 0
    for (const leaf of this.leaves) for (const element of leaf) changed.push(change(element, index++))
    return changed
  }

  *[Symbol.iterator](): Iterator<A> {
    for (const leaf of this.leaves) yield* leaf
  }
}
