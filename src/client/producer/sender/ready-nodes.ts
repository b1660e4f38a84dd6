import { Effect } from "effect"
import { type Client, ClusterClient } from "../../cluster/client.ts"
import type { CallError, ConnectError } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { BackgroundFibers } from "../../runtime/background-fibers.ts"
import { reportDefect } from "../../runtime/supervision.ts"
import type { ProducerIdAndEpoch } from "../accumulator/batch.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"
import { requestProducerId } from "./producer-id.ts"

/** How long a background call that failed by a defect is not repeated, ms. */
const defectPauseMs = 1000

/** What the sender does when a background call has ended. */
interface ReadyNodesListener {
  /** A call has ended, whether it succeeded or not. */
  readonly onReady: () => void
  readonly onUnreachable: (node: NodeView, error: ConnectError) => void
  readonly onNoProducerId: (error: CallError) => void
}

/**
 * What a batch needs before it can be sent: the leader of its partition, an open connection to it, and a producer id.
 * What is missing is requested in the background, each thing once at a time.
 */
export class ReadyNodes {
  /** For partitions that have no id yet; see PartitionQueue for their epochs. */
  producer: ProducerIdAndEpoch | undefined
  private requestingId = false
  private readonly connecting = new Set<number>()
  private readonly staleTopics = new Set<string>()
  private refreshing = false

  static readonly make = (listener: ReadyNodesListener): Effect.Effect<ReadyNodes, never, ClusterClient | BackgroundFibers> =>
    Effect.map(Effect.all([ClusterClient, BackgroundFibers]), ([client, fibers]) => new ReadyNodes(client, fibers, listener))

  private constructor(
    private readonly client: Client,
    private readonly fibers: BackgroundFibers["Type"],
    private readonly listener: ReadyNodesListener
  ) {}

  /** The node that leads the partition, as far as the client knows. */
  leaderOf(queue: PartitionQueue): NodeView | undefined {
    const view = this.client.metadata.view()
    return view.nodes.get(view.topics.get(queue.topic)?.partitions[queue.partition]?.leader ?? -1)
  }

  /** The id of the queue's topic, as far as the client knows; all zero where the cluster has no topic ids. */
  topicIdOf(queue: PartitionQueue): string | undefined {
    return this.client.metadata.view().topics.get(queue.topic)?.topicId
  }

  /** Whether a connection to the node is open; opens one if not. */
  isConnected(node: NodeView): boolean {
    if (this.client.pool.ready(node.address, "main") !== undefined) return true
    if (!this.connecting.has(node.id)) {
      this.connecting.add(node.id)
      const connect = Effect.match(this.client.pool.link(node.address, "main"), {
        onSuccess: () => {},
        onFailure: (error) => this.listener.onUnreachable(node, error)
      })
      this.inBackground(connect, () => this.connecting.delete(node.id))
    }
    return false
  }

  /** Whether there is a producer id; requests one if not. */
  hasProducerId(): boolean {
    if (this.producer !== undefined) return true
    if (!this.requestingId) {
      this.requestingId = true
      const onSuccess = (producer: ProducerIdAndEpoch) => {
        this.producer = producer
      }
      this.inBackground(Effect.match(requestProducerId(this.client), { onSuccess, onFailure: this.listener.onNoProducerId }), () => {
        this.requestingId = false
      })
    }
    return false
  }

  /** The next batch waits for another producer id: the sequences that the cluster has under this one are not known. */
  forgetProducerId(): void {
    this.producer = undefined
  }

  /** The topic's leaders may have changed. */
  markStale(topic: string): void {
    this.staleTopics.add(topic)
  }
  /** Requests the metadata of the topics that are marked as stale. */
  refresh(): void {
    if (this.staleTopics.size === 0 || this.refreshing) return
    const topics = [...this.staleTopics]
    this.staleTopics.clear()
    this.refreshing = true
    this.inBackground(Effect.ignore(this.client.metadata.refresh(topics)), () => {
      this.refreshing = false
    })
  }

  private inBackground(effect: Effect.Effect<void>, done: () => void): void {
    const finish = Effect.sync(() => {
      done()
      this.listener.onReady()
    })
    const reported = Effect.catchAllDefect(effect, (defect) => Effect.andThen(reportDefect("producer's background call", defect), Effect.sleep(defectPauseMs)))
    this.fibers.run(Effect.ensuring(reported, finish))
  }
}
