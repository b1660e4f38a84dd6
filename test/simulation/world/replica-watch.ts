import { Either } from "effect"
import { effectiveMinIsr } from "../../../domain/cluster/election.ts"
import { brokerOf, type Cluster, type Partition, sortedTopics, topicById, topicByName } from "../../../domain/cluster/state.ts"
import type { Replica } from "../../../src/broker/partition/replica/replica.ts"
import { decodeRequest } from "../../../src/protocol/codec/compile.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import type { ResponseDraft } from "../../../src/protocol/type/wire.ts"
import type { RequestContext, Route } from "../../../src/wire/route.ts"
import { ackedOnDisks, logMatching, type PartitionSeen, type ReplicaSeen, strongIsr } from "../checker/replicas.ts"
import type { Violation } from "../checker/violation.ts"
import { withWatchedFetches } from "./fetch-watch.ts"
import { marksOnDisk, startOnDisk } from "./log-marks.ts"
import { brokerName, leaderName } from "./nodes.ts"
import type { World } from "./world.ts"

const all = -1

interface Named {
  readonly topicId: string
  readonly index: number
  readonly name: string
}

/** Compares the replicas of all partitions: what is on disks, and what each broker believes. */
export class ReplicaWatch {
  constructor(private readonly world: World) {}

  private get brokers(): ReadonlyArray<number> {
    return Array.from({ length: this.world.options.brokers }, (_, n) => n + 1)
  }
  /** What the leader of the cluster has journalled; undefined while it does not run. */
  private truth(): Cluster | undefined {
    return this.world.believer(leaderName)?.cluster()
  }
  private hosted(broker: number): ReadonlyArray<Replica> {
    return [...(this.world.believer(brokerName(broker))?.replicas?.() ?? [])]
  }

  private seen(
    { index: partition, name, topicId }: Named,
    { elr, isr, replicas }: Partition,
    hosted: ReadonlyMap<number, ReadonlyArray<Replica>>,
    trustsAll = false
  ): PartitionSeen {
    const trusted = replicas.filter((id) => trustsAll || !this.world.host(brokerName(id)).isDistrusted)
    return {
      name,
      isr,
      elr,
      replicas: trusted.map((broker): ReplicaSeen => {
        const { disk, lies } = this.world.host(brokerName(broker))
        const written = marksOnDisk(disk, topicId, partition, "current")
        const replica = hosted.get(broker)?.find((one) => one.topicId === topicId && one.partition === partition)
        return {
          broker,
          written,
          // A disk that lies about its syncs has what it said.
          durable: lies ? written : marksOnDisk(disk, topicId, partition, "durable"),
          durableStart: startOnDisk(disk, topicId, partition, lies ? "current" : "durable"),
          leads: replica?.isLeading === true ? { leaderEpoch: replica.leaderEpoch(), highWatermark: replica.highWatermark() } : undefined
        }
      })
    }
  }

  /** R3 and R4, and what each broker leads: called every now and then. */
  look(): void {
    const { recorder } = this.world
    const hosted = new Map(this.brokers.map((id) => [id, this.hosted(id)]))
    for (const [broker, replicas] of hosted)
      for (const { isLeading, leaderEpoch, partition, replication, topicId } of replicas)
        if (isLeading)
          recorder.role({ broker, node: this.world.host(brokerName(broker)).process, topicId, partition, leaderEpoch: leaderEpoch(), isr: replication?.isr })
    const cluster = this.truth()
    if (cluster === undefined) return
    // A disk that lost records is trusted again as soon as it has what its in-sync sets say. A node that is down has not told it yet.
    const distrusted = this.world.nodes.filter((host) => host.isDistrusted)
    const isKnown = distrusted.every(({ isUp }) => isUp)
    if (distrusted.length > 0 && isKnown && this.differences(cluster, hosted, true).length === 0) for (const host of distrusted) host.isDistrusted = false
    recorder.differs(this.differences(cluster, hosted))
  }
  private differences(cluster: Cluster, hosted: ReadonlyMap<number, ReadonlyArray<Replica>>, trustsAll = false): ReadonlyArray<Violation> {
    const found: Array<Violation> = []
    for (const { name, partitions, topicId } of sortedTopics(cluster)) {
      if (!this.world.recorder.replicated.has(name)) continue
      for (let index = 0; index < partitions.length; index++) {
        const seen = this.seen({ topicId, index, name: `${name}-${index}` }, partitions.at(index) as Partition, hosted, trustsAll)
        found.push(...strongIsr(seen), ...logMatching(seen))
      }
    }
    return found
  }

  /** R6, at the moment at which a broker answers acks=all. A disk that lost records counts with what it has again. */
  private acked(broker: number, by: { readonly name?: string | undefined; readonly topicId?: string | undefined }, index: number, offset: number): void {
    const { options, recorder } = this.world
    const cluster = this.world.believer(brokerName(broker))?.cluster()
    const topic = cluster === undefined ? undefined : by.name ? topicByName(cluster, by.name) : topicById(cluster, by.topicId ?? "")
    const partition = topic?.partitions.at(index)
    if (topic === undefined || partition === undefined || !recorder.replicated.has(topic.name)) return
    const { minIsr: configured = 1, minIsrEveryMs } = options.replicated ?? {}
    // Where it changes, the leader of the partition and the cluster's leader may have another value at this moment.
    const minIsr = effectiveMinIsr(minIsrEveryMs === undefined ? configured : 1, partition.replicas.length)
    // A leader that was stopped answers by an old image: the replicas may have moved since, with their records.
    const images = this.brokers.map((each) => this.world.believer(brokerName(each))?.cluster())
    const moved = images.flatMap((image) => (image === undefined ? [] : (topicById(image, topic.topicId)?.partitions.at(index)?.replicas ?? [])))
    const everywhere = { ...partition, replicas: [...new Set([...partition.replicas, ...moved])] }
    // A replica whose disk was replaced may have synced the record before, and the leader may have waited for its own sync since.
    const replaced = everywhere.replicas.filter((id) => this.world.host(brokerName(id)).isDistrusted).length
    const named = { topicId: topic.topicId, index, name: `${topic.name}-${index}` }
    recorder.differs(ackedOnDisks(this.seen(named, everywhere, new Map(), true), broker, offset, minIsr - replaced))
  }

  /** The routes of a broker, watched. */
  watched(broker: number, routes: ReadonlyArray<Route>): ReadonlyArray<Route> {
    const acks = new WeakMap<RequestContext, number>()
    const believer = () => this.world.believer(brokerName(broker))
    const watched = withWatchedFetches(routes, {
      leads: (topicId, partition) => {
        const replica = this.hosted(broker).find((one) => one.topicId === topicId && one.partition === partition)
        return replica?.isLeading === true ? replica.leaderEpoch() : undefined
      },
      registered: (id) => {
        const cluster = believer()?.cluster()
        return cluster === undefined ? undefined : brokerOf(cluster, id)?.epoch
      },
      differs: (found) => this.world.recorder.differs(found)
    })
    return watched.map((route) =>
      route.api.key !== Produce.key
        ? route
        : {
            ...route,
            start: (context: RequestContext, bodyAt: number) => {
              const request = decodeRequest(Produce, context.version, context.frame, bodyAt)
              if (Either.isRight(request)) acks.set(context, request.right.acks)
              return route.start(context, bodyAt)
            },
            encode: (context: RequestContext, answer: unknown) => {
              if (acks.get(context) === all)
                for (const topic of (answer as ResponseDraft<typeof Produce>).responses)
                  for (const { baseOffset, errorCode, index } of topic.partitionResponses)
                    if (errorCode === 0) this.acked(broker, topic, index, Number(baseOffset))
              return route.encode(context, answer as never)
            }
          }
    )
  }
}
