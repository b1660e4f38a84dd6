import { client, type Node } from "./node.ts"
import type { KnownPartition } from "./partitions.ts"
import { leaderBy } from "./producer.ts"
import type { World } from "./world.ts"

/** Reads every partition in turn to the high watermark, and again from an earlier offset now and then. */
export class Consumer {
  private readonly node: Node = client(300)
  private readonly positions = new Map<number, number>()

  constructor(private readonly world: World) {}

  start(): void {
    const { chance, network, options, partitions } = this.world
    for (const known of partitions.present) this.poll(known)
    network.timer(this.node, options.pollMs + chance.below(options.pollMs), () => this.start())
  }

  private poll(known: KnownPartition): void {
    const { chance, network, options } = this.world
    const any = options.followerReads && chance.isTrue(0.5) ? chance.below(this.world.brokers.length) : leaderBy(this.world, known)
    const broker = any === undefined ? undefined : this.world.brokers[any]
    if (broker === undefined) return
    const position = this.positions.get(known.key) ?? 0
    const from = chance.isTrue(0.1) ? Math.max(0, position - 20) : position
    network.send(this.node, broker, () => {
      const read = broker.replicas.get(known.key)?.readable(from)
      if (read === undefined || read.records.length === 0) return
      network.send(broker, this.node, () => {
        // One replica: records may be read before they are synced (decision 7).
        if (read.isReplicated) this.world.checks.read(known, read.records, read.epoch, broker.id)
        this.positions.set(known.key, Math.max(position, from + read.records.length))
      })
    })
  }
}
