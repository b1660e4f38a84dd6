import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import { streamOf } from "../../../domain/group/groups.ts"
import { GroupId } from "../../../domain/group/id.ts"
import { Client, type ClientKind } from "../clients.ts"
import type { Nodes } from "../nodes.ts"
import { Observed } from "../observed.ts"
import { Acknowledgements } from "../pauses.ts"
import { until, untilAcknowledged, untilWhole } from "../site.ts"
import { comeToRest } from "../verdict.ts"
import { committedOffsets } from "./coordinator-calls.ts"
import { type CoordinatorSite, coordinating } from "./faults.ts"
import { Members } from "./members.ts"
import { WatchedGroup } from "./watched-group.ts"

const partitions = 4
const membersOfEach = 2
/** offsets.topic.num.partitions, and the one of them that has the groups. */
const [streams, stream] = [4, 0]
const readEveryMs = 200
const committedWithinMs = 60_000
/** The producer: its messages are the same for every group. */
const sender: ClientKind = "ours"

/** A name of a group in the stream of all the others, so that one broker coordinates them. */
const groupOf = (kind: ClientKind): string => {
  for (let nth = 0; ; nth++) {
    const name = `tortured-${kind}-${nth}`
    if (streamOf(GroupId.make(name), streams) === stream) return name
  }
}

interface LoadOptions {
  readonly kinds: ReadonlyArray<ClientKind>
  readonly topic: string
  readonly perSecond: number
  readonly complain: (complaint: string) => void
}

/** A producer, and a group with two members of each kind, whose committed offsets are read all the time. */
export class GroupLoad {
  readonly partitions = partitions
  readonly commits = new Acknowledgements()
  readonly observed: Observed
  readonly groups: ReadonlyArray<WatchedGroup>
  private readonly members: Array<Members> = []
  private clients: ReadonlyArray<Client> = []
  private isOver = false
  private reading: Promise<void> = Promise.resolve()

  constructor(
    private readonly nodes: Nodes,
    private readonly options: LoadOptions
  ) {
    const { complain, kinds, topic } = options
    this.observed = new Observed(topic, complain)
    const note = (text: string) => this.observed.take(sender, { kind: "note", text })
    this.groups = kinds.map((kind) => new WatchedGroup({ kind, group: groupOf(kind), topic, commits: this.commits, note, complain }))
  }
  get watched() {
    return { nodes: this.nodes, topic: this.options.topic, partitions, observed: this.observed, clients: [sender] }
  }
  get site(): CoordinatorSite {
    return { nodes: this.nodes, groups: this.groups.map(({ group }) => group), members: membersOfEach, complain: this.options.complain }
  }

  /** Starts the members, and when their groups have settled the producer. */
  async start(): Promise<void> {
    const { nodes, options } = this
    const { complain, perSecond, topic } = options
    const { bootstrap } = nodes
    for (const group of this.groups) {
      const membership = { bootstrap, topic, group: group.group, count: membersOfEach }
      this.members.push(await Members.start(group.kind, membership, (line) => group.take(line), complain))
    }
    await until("the members of every group have all partitions", () => this.groups.every((group) => group.isAssigned(membersOfEach, partitions)))
    await coordinating(this.site)
    for (const group of this.groups) group.settle()
    this.reading = this.readOffsets()
    this.clients = [await Client.start(sender, { bootstrap, topic, partitions, perSecond }, this.observed.take, complain)]
    await this.untilSuccess(Date.now())
  }
  /** Waits until every replica is in sync, also those of the groups, and every group has committed after that. */
  async untilRecovered(): Promise<void> {
    await untilWhole(this.watched)
    await untilWhole({ ...this.watched, topic: groupMetadataTopic, partitions: streams })
    await this.untilSuccess(Date.now())
  }
  /** Ends the sending; every group must have processed and committed everything. */
  async comeToRest(): Promise<void> {
    await comeToRest(this.watched, this.clients)
    for (const group of this.groups)
      for (let partition = 0; partition < partitions; partition++) {
        const end = this.observed.acknowledgedTo(partition)
        const due = () => group.processedTo(partition) >= end && (group.floor.get(partition) ?? 0) >= end
        await until(`${group.group} processes and commits partition ${partition} up to ${end}`, due, committedWithinMs)
      }
    // The coordinator's own answer, and not only what was acknowledged: the committed offsets are the ends.
    for (const group of this.groups) await until(`a broker has the offsets of ${group.group}`, () => this.readOnce(group, true))
  }
  async end(): Promise<void> {
    this.isOver = true
    await this.reading
    for (const running of [...this.members, ...this.clients]) await running.end()
  }

  private async untilSuccess(ms: number): Promise<void> {
    const kinds = this.groups.map(({ kind }) => kind)
    await until("every group has committed", () => this.commits.allSince(ms, kinds, 1))
    await untilAcknowledged(this.watched, ms)
  }
  private async readOffsets(): Promise<void> {
    while (!this.isOver) {
      await Bun.sleep(readEveryMs)
      for (const group of this.groups) await this.readOnce(group, false)
    }
  }
  /** Asks every broker, of which one coordinates the group. Returns whether one answered. */
  private async readOnce(group: WatchedGroup, isLast: boolean): Promise<boolean> {
    let isFound = false
    for (const id of this.nodes.running) {
      const floor = group.floor
      const found = await committedOffsets(this.nodes.broker(id).port, group.group, this.options.topic)
      if (found === undefined) continue
      isFound = true
      group.read(found, floor)
      if (!isLast) continue
      for (let partition = 0; partition < partitions; partition++)
        if (found.get(partition) !== group.processedTo(partition))
          this.options.complain(
            `G: ${group.group} has committed ${found.get(partition)} in ${this.options.topic}-${partition}, and has processed ${group.processedTo(partition)} records`
          )
    }
    return isFound
  }
}
