import { type Address, formatAddress } from "../ports/transport.ts"
import type { Link } from "../wire/link.ts"

/** A leader as a candidate names it. */
export interface NamedLeader {
  readonly epoch: number
  readonly address: Address
}

/** For how long a response that is sent at once may be due before the broker asks the other candidates who leads, ms. */
const silentMsMax = 750

const isSame = (one: Address, other: Address): boolean => one.host === other.host && one.port === other.port

/**
 * The candidate that a broker takes for the cluster's leader, with the newest epoch of a leader that it has seen. All
 * connections of the broker go to that one: when the pointer moves, those to others are abandoned, so that no response
 * of an older leader is used.
 */
export class LeaderPointer {
  private at = 0
  private address: Address
  private newest = -1
  private confirmed = false
  /** The leader that was named last, and could not be reached: a standby may name it until another is elected. */
  private unreached: NamedLeader | undefined
  private readonly links = new Set<Link>()
  private readonly listeners = new Set<() => void>()
  /** Links on which the leader answers each request at once. */
  private readonly prompt = new Set<Link>()

  constructor(private readonly all: readonly [Address, ...ReadonlyArray<Address>]) {
    this.address = all[0]
  }

  get current(): Address {
    return this.address
  }
  /** The newest epoch of a leader that this broker has seen; -1 before the first. */
  get epoch(): number {
    return this.newest
  }
  get addresses(): string {
    return this.all.map(formatAddress).join(" or ")
  }
  get candidates(): ReadonlyArray<Address> {
    return this.all
  }
  /** Whether the leader's answer is missing, or late: another may lead. */
  get isInDoubt(): boolean {
    if (!this.confirmed || this.prompt.size === 0) return true
    for (const link of this.prompt) if (link.silentMs() > silentMsMax) return true
    return false
  }
  /** Whether the node at the current address has shown that it leads, and no connection to it has failed since. */
  get isConfirmed(): boolean {
    return this.confirmed
  }

  /** Notes the epoch of a leader. */
  learn(epoch: number): void {
    if (epoch > this.newest) this.newest = epoch
  }
  /** The node at `address` leads under `epoch`. */
  confirm(address: Address, epoch: number): void {
    this.learn(epoch)
    if (!isSame(this.address, address)) return
    this.confirmed = true
    this.unreached = undefined
  }
  /** Goes to the next candidate, unless another connection has done so already. */
  leave(from: Address): void {
    if (!isSame(this.address, from)) return
    this.unreached = { epoch: this.newest, address: from }
    this.at = (this.at + 1) % this.all.length
    this.move(this.all[this.at] as Address)
  }
  /** Goes to a leader that a candidate names, unless its epoch is older than one that was seen, or it could not be reached. */
  follow({ address, epoch }: NamedLeader): void {
    if (epoch < this.newest) return
    this.newest = epoch
    const { unreached } = this
    if (isSame(address, this.address) || (unreached !== undefined && unreached.epoch === epoch && isSame(unreached.address, address))) return
    this.move(address)
  }
  /** Notes an open link, until the returned function is called. `isPrompt`: the leader answers each request on it at once. */
  add(link: Link, isPrompt: boolean): () => void {
    this.links.add(link)
    if (isPrompt) this.prompt.add(link)
    return () => {
      this.links.delete(link)
      this.prompt.delete(link)
    }
  }

  /** Calls `listener` when the pointer moves; returns a function that ends that. */
  onMove(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private move(to: Address): void {
    this.address = to
    this.confirmed = false
    const known = this.all.findIndex((each) => isSame(each, to))
    if (known !== -1) this.at = known
    for (const link of [...this.links]) if (!isSame(link.address, to)) link.abandon(`this broker takes ${formatAddress(to)} for the leader`)
    for (const listener of [...this.listeners]) listener()
  }
}
