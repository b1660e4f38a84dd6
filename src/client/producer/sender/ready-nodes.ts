import { Effect } from "effect"
import type { Client } from "../../cluster/client.ts"
import type { CallError, NotReachable } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { reportDefect } from "../../runtime/supervision.ts"
import type { Identity } from "../accumulator/batch.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"
import { acquireProducerId } from "./producer-id.ts"

/** How long a call that failed by a defect is not repeated, ms. */
const defectPauseMs = 1000

/**
 * Where batches go: the leaders' nodes with an open connection, and the producer's id. What is missing is fetched in the background, one attempt at a time; `ready` is called
 * when something has come, or failed.
 */
export class Places {
  /** The id for partitions that have none yet; see PartitionQueue for their epochs. */
  identity: Identity | undefined
  private acquiring = false
  private readonly connecting = new Set<number>()
  private readonly stale = new Set<string>()
  private refreshing = false

  constructor(
    private readonly client: Client,
    private readonly fork: (effect: Effect.Effect<void>) => void,
    private readonly events: {
      readonly ready: () => void
      readonly unreachable: (node: NodeView, error: NotReachable) => void
      /** There is no producer id to be had. */
      readonly noIdentity: (error: CallError) => void
    }
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

  /** Whether there is an open connection to the node; makes one if not. */
  isConnected(node: NodeView): boolean {
    if (this.client.pool.ready(node.address, "main") !== undefined) return true
    if (!this.connecting.has(node.id)) {
      this.connecting.add(node.id)
      this.inBackground(
        Effect.match(this.client.pool.link(node.address, "main"), { onSuccess: () => {}, onFailure: (error) => this.events.unreachable(node, error) }),
        () => this.connecting.delete(node.id)
      )
    }
    return false
  }

  /** Whether there is a producer id; gets one if not. */
  hasIdentity(): boolean {
    if (this.identity !== undefined) return true
    if (!this.acquiring) {
      this.acquiring = true
      const take = (identity: Identity) => {
        this.identity = identity
      }
      this.inBackground(Effect.match(acquireProducerId(this.client), { onSuccess: take, onFailure: this.events.noIdentity }), () => {
        this.acquiring = false
      })
    }
    return false
  }

  /** The next batch waits for another producer id: what the cluster has under this one is not known. */
  forgetIdentity(): void {
    this.identity = undefined
  }

  /** The topic's leaders are not those that the client knows. */
  doubt(topic: string): void {
    this.stale.add(topic)
  }
  /** Asks about the topics in doubt. */
  refresh(): void {
    if (this.stale.size === 0 || this.refreshing) return
    const topics = [...this.stale]
    this.stale.clear()
    this.refreshing = true
    this.inBackground(Effect.ignore(this.client.metadata.refresh(topics)), () => {
      this.refreshing = false
    })
  }

  private inBackground(effect: Effect.Effect<void>, done: () => void): void {
    const finish = Effect.sync(() => {
      done()
      this.events.ready()
    })
    const reported = Effect.catchAllDefect(effect, (defect) => Effect.andThen(reportDefect("producer's background call", defect), Effect.sleep(defectPauseMs)))
    this.fork(Effect.ensuring(reported, finish))
  }
}
