import { expect, test } from "bun:test"
import fc from "fast-check"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import type { EpochStart } from "../../../domain/log/epoch-checkpoint.ts"
import {
  answered,
  type FetchResponse,
  type Follow,
  fetchSent,
  follow,
  heard,
  type NextFetch,
  nextFetch,
  wasAppended,
  wasCut,
  wasSynced
} from "../../../domain/partition/follow.ts"
import type { PartitionImage } from "../../../domain/partition/image.ts"
import { appended, type DivergingEpoch, divergence, fetched, fetchRefusal, type Lead, lead, synced } from "../../../domain/partition/lead.ts"

/** A record: the leader epoch in which it was appended, and a number that no other record has. */
interface Written {
  readonly epoch: number
  readonly number: number
}

/** A replica: a log, and its role under the leader epoch that its broker knows. */
interface Node {
  log: ReadonlyArray<Written>
  starts: ReadonlyArray<EpochStart>
  highWatermark: number
  lead: Lead | undefined
  follow: Follow | undefined
}

const replicaCount = 3
const indexes = [0, 1, 2]
const brokers = indexes.map((index) => index as BrokerId)
const lastEpochOf = ({ log }: Node): number => log[log.length - 1]?.epoch ?? -1

/** What the wrong rule would let consumers of a follower read: all that it once knew to be committed. */
type ReadableRule = (follow: Follow) => number
const realRule: ReadableRule = ({ readable }) => readable ?? 0
const wrongRule: ReadableRule = ({ highWatermark }) => highWatermark

/** One partition on three brokers that get to know elections one after the other, and messages that arrive late or not. */
class Partition {
  readonly nodes: ReadonlyArray<Node> = indexes.map(() => ({ log: [], starts: [], highWatermark: 0, lead: undefined, follow: undefined }))
  private readonly elections: Array<{ readonly leader: number; readonly isr: ReadonlyArray<BrokerId> }> = []
  private readonly known = [-1, -1, -1]
  private readonly answers: Array<{ readonly to: number; readonly sent: NextFetch; readonly answer: FetchResponse; readonly records: ReadonlyArray<Written> }> =
    []
  /** The whole log of the leader of each epoch, as far as it was ever seen: its own, never cut while it leads. */
  readonly logsOfLeaders = new Map<number, ReadonlyArray<Written>>()
  private numbers = 0
  /** The most records that a follower served after it had cut its log. */
  servedAfterCut = 0
  private cuts = 0

  constructor() {
    this.elect(0, false)
    for (const index of indexes) this.learn(index)
  }

  /** Elects a member of the in-sync set, or any replica, whatever it lacks. */
  elect(leader: number, isUnclean: boolean): void {
    const isr = isUnclean ? [brokers[leader] as BrokerId] : brokers
    this.elections.push({ leader, isr })
  }

  private imageOf(epoch: number): PartitionImage {
    const { isr, leader } = this.elections[epoch] as (typeof this.elections)[number]
    return {
      leader: brokers[leader] as BrokerId,
      leaderEpoch: epoch,
      partitionEpoch: epoch,
      isr,
      elr: [],
      minIsr: 1,
      replicas: brokers.map((id) => ({ id, brokerEpoch: 0, mayJoin: true }))
    }
  }

  /** A broker's image has one more election. */
  learn(index: number): void {
    const epoch = (this.known[index] as number) + 1
    if (epoch >= this.elections.length) return
    this.known[index] = epoch
    const node = this.nodes[index] as Node
    const image = this.imageOf(epoch)
    const start = { end: node.log.length, syncedEnd: node.log.length, lastEpoch: lastEpochOf(node), highWatermark: node.highWatermark }
    if (image.leader !== index) {
      node.starts = node.starts.filter(({ offset }) => offset < node.log.length)
      node.lead = undefined
      node.follow = follow(image.leader, epoch, start, node.follow?.fetch ?? 0)
      return
    }
    node.follow = undefined
    node.starts = [...node.starts, { epoch, offset: node.log.length }]
    this.ledBy(node, lead(image, { id: brokers[index] as BrokerId, ...start, logStart: 0, at: 0 }))
  }

  private ledBy(node: Node, state: Lead): void {
    node.lead = state
    node.highWatermark = Math.max(node.highWatermark, state.highWatermark)
    this.logsOfLeaders.set(state.epoch, node.log)
  }

  append(index: number): void {
    const node = this.nodes[index] as Node
    if (node.lead === undefined) return
    node.log = [...node.log, { epoch: node.lead.epoch, number: this.numbers++ }]
    this.ledBy(node, synced(appended(node.lead, node.log.length, 0), node.log.length))
  }

  /** A follower's fetch arrives at the broker that it believes to lead; the answer is under way. */
  fetch(index: number): void {
    const node = this.nodes[index] as Node
    const sent = node.follow === undefined ? undefined : nextFetch(node.follow)
    if (node.follow === undefined || sent === undefined) return
    node.follow = fetchSent(node.follow)
    const to = this.nodes[node.follow.leader] as Node
    const request = { ...sent, id: index, brokerEpoch: 0, logStart: 0 }
    const refused = to.lead === undefined || fetchRefusal(to.lead, request) !== undefined
    const diverging = refused ? undefined : divergence(to.lead as Lead, (epoch) => endOf(to, epoch), 0, request)
    if (refused) this.answers.push({ to: index, sent, answer: { _tag: "failed" }, records: [] })
    else if (diverging !== undefined) this.answers.push({ to: index, sent, answer: { _tag: "diverging", diverging }, records: [] })
    else {
      this.ledBy(to, fetched(to.lead as Lead, request, 0))
      const records = to.log.slice(sent.offset, sent.offset + 2)
      this.answers.push({
        to: index,
        sent,
        answer: { _tag: "records", highWatermark: (to.lead as Lead).highWatermark, logStart: 0, count: records.length },
        records
      })
    }
  }

  /** The oldest answer that is under way arrives. */
  deliver(): void {
    const arrived = this.answers.shift()
    if (arrived === undefined) return
    const node = this.nodes[arrived.to] as Node
    if (node.follow === undefined) return
    const { action, state } = answered(
      node.follow,
      arrived.sent,
      arrived.answer,
      node.starts.filter(({ offset }) => offset < node.log.length)
    )
    node.follow = state
    if (action._tag === "cut") this.cut(node, state, action.offset)
    if (action._tag !== "append" || arrived.answer._tag !== "records") return
    for (const each of arrived.records) {
      if (each.epoch > lastEpochOf(node)) node.starts = [...node.starts, { epoch: each.epoch, offset: node.log.length }]
      node.log = [...node.log, each]
    }
    const grown = wasSynced(wasAppended(state, node.log.length, lastEpochOf(node)), node.log.length)
    node.follow = heard(grown, arrived.answer.highWatermark)
    node.highWatermark = Math.max(node.highWatermark, node.follow.highWatermark)
  }

  private cut(node: Node, state: Follow, offset: number): void {
    this.cuts++
    node.log = node.log.slice(0, offset)
    node.starts = node.starts.filter((start) => start.offset < offset)
    node.highWatermark = Math.min(node.highWatermark, offset)
    node.follow = wasCut(state, offset, lastEpochOf(node))
  }

  /**
   * Returns what a consumer reads from a follower that the leader of the same leader epoch does not have: it would be cut
   * when the follower reaches that leader.
   */
  wrongRead(rule: ReadableRule): string | undefined {
    for (const [index, { follow: state, log }] of this.nodes.entries()) {
      if (state === undefined) continue
      const ofLeader = this.logsOfLeaders.get(state.leaderEpoch)
      if (this.cuts > 0) this.servedAfterCut = Math.max(this.servedAfterCut, rule(state))
      for (let offset = 0; offset < rule(state); offset++)
        if (log[offset] === undefined || log[offset] !== ofLeader?.[offset])
          return `broker ${index} serves record ${log[offset]?.number} at ${offset}; its leader of epoch ${state.leaderEpoch} has ${ofLeader?.[offset]?.number}`
    }
    return undefined
  }
}

const endOf = ({ log, starts }: Node, epoch: number): DivergingEpoch | undefined => {
  const at = starts.findLastIndex((start) => start.epoch <= epoch)
  const found = starts[at]
  return found === undefined ? undefined : { epoch: found.epoch, endOffset: starts[at + 1]?.offset ?? log.length }
}

type Step = readonly [kind: "elect" | "elect uncleanly" | "learn" | "append" | "fetch" | "deliver", broker: number]
const kinds = ["elect", "elect uncleanly", "learn", "learn", "append", "append", "fetch", "fetch", "fetch", "deliver", "deliver", "deliver"] as const
const steps = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat({ max: replicaCount - 1 })), { minLength: 30, maxLength: 120, size: "max" })

const run = (all: ReadonlyArray<Step>, rule: ReadableRule, partition = new Partition()): string | undefined => {
  for (const [kind, broker] of all) {
    if (kind === "elect" || kind === "elect uncleanly") partition.elect(broker, kind === "elect uncleanly")
    else if (kind === "deliver") partition.deliver()
    else partition[kind](broker)
    const wrong = partition.wrongRead(rule)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

test("consumers of a follower read what the leader of the same leader epoch has, through unclean elections (KIP-392)", () => {
  let served = 0
  fc.assert(
    fc.property(steps, (all) => {
      const partition = new Partition()
      expect(run(all, realRule, partition)).toBeUndefined()
      if (partition.servedAfterCut > 0) served++
    }),
    { numRuns: 3000 }
  )
  // The runs reach what they are about.
  expect(served).toBeGreaterThan(10)
})

test("the same with the high watermark of before: a follower serves records that are about to be cut", () => {
  const { counterexample } = fc.check(
    fc.property(steps, (all) => run(all, wrongRule) === undefined),
    { numRuns: 20_000 }
  )
  expect(counterexample).not.toBeNull()
})
