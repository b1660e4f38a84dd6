import type { Chance } from "../chance.ts"
import type { Node } from "./node.ts"
import type { EventQueue } from "./queue.ts"

interface NetworkOptions {
  readonly delayMs: readonly [number, number]
  readonly lossChance: number
  /** The chance that a message is on its way for seconds. */
  readonly stragglerChance: number
}

const stragglerMs = 5000

const keyOf = (from: number, to: number): number => from * 1000 + to

/** Messages between nodes as data: each is delayed by itself, so that they overtake each other, or is lost. */
export class Network {
  private readonly cuts = new Map<number, number>()
  private isCalm = false

  constructor(
    private readonly queue: EventQueue,
    private readonly chance: Chance,
    private readonly options: NetworkOptions
  ) {}

  /** Nothing gets from one node to the other until `until`. */
  cut(from: number, to: number, until: number): void {
    this.cuts.set(keyOf(from, to), Math.max(until, this.cuts.get(keyOf(from, to)) ?? 0))
  }
  isCut(from: number, to: number): boolean {
    const until = this.cuts.get(keyOf(from, to))
    return until !== undefined && until > this.queue.now
  }
  /** No message is lost from now on. */
  calm(): void {
    this.cuts.clear()
    this.isCalm = true
  }

  /** Delivers a message to the process that `to` is now; a response, to the process that asked (`life`). */
  send(from: Node, to: Node, deliver: () => void, moreMs = 0, life = to.life): void {
    const { chance, options, queue } = this
    if (this.isCut(from.id, to.id)) return
    if (!this.isCalm && chance.isTrue(options.lossChance)) return
    const lateMs = !this.isCalm && options.stragglerChance > 0 && chance.isTrue(options.stragglerChance) ? chance.below(stragglerMs) : 0
    queue.after(chance.between(options.delayMs[0], options.delayMs[1]) + moreMs + lateMs, () => {
      if (!this.isCut(from.id, to.id)) this.run(to, life, deliver)
    })
  }

  /** Calls `action` in the same process after `ms`. */
  timer(node: Node, ms: number, action: () => void): void {
    const { life } = node
    this.queue.after(ms, () => this.run(node, life, action))
  }

  private run(node: Node, life: number, action: () => void): void {
    if (!node.isUp || node.life !== life) return
    if (node.pausedUntil > this.queue.now) this.queue.at(node.pausedUntil, () => this.run(node, life, action))
    else action()
  }
}
