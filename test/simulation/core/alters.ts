import { Command } from "../../../domain/cluster/command.ts"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Proposal } from "../../../domain/partition/in-sync.ts"
import type { Broker } from "./broker.ts"
import type { Replica } from "./replica.ts"

/** After so long a request without an answer is sent again. */
const timeoutMs = 1000

/** The AlterPartition requests of a broker: what its leaders propose, all in one request, one request at a time. */
export class Alters {
  private sentAt = -1
  private isDue = false

  constructor(private readonly broker: Broker) {}

  reset(): void {
    this.sentAt = -1
    this.isDue = false
  }

  /** There is a proposal that was not sent. */
  propose(): void {
    this.isDue = true
    if (this.sentAt < 0) this.send(false)
  }

  /** Sends what has no answer again. */
  remind(): void {
    const { now } = this.broker.world.queue
    if (this.sentAt >= 0 && now - this.sentAt < timeoutMs) return
    this.sentAt = -1
    for (const { lead } of this.broker.replicas.values()) if (lead?.proposal !== undefined) this.isDue = true
    if (this.isDue) this.send(true)
  }

  private send(isReminded: boolean): void {
    const { broker } = this
    const { world } = broker
    this.isDue = false
    const proposed: Array<{ readonly replica: Replica; readonly proposal: Proposal }> = []
    for (const replica of broker.replicas.values()) {
      const proposal = replica.lead?.proposal
      if (proposal === undefined || (proposal.sent > 0 && !isReminded)) continue
      if (proposal.sent > 0) world.sometimes.hit("AlterPartition was sent again")
      replica.proposalSent()
      proposed.push({ replica, proposal })
    }
    if (proposed.length === 0 || broker.epoch < 0) return
    this.sentAt = world.queue.now
    const command = Command.AlterInSyncSets({
      brokerId: broker.id,
      brokerEpoch: broker.epoch,
      partitions: proposed.map(({ proposal, replica }) => ({
        topicId: world.partitions.of(replica.key).topicId,
        partition: world.partitions.of(replica.key).index,
        leaderEpoch: proposal.leaderEpoch,
        partitionEpoch: proposal.partitionEpoch,
        isr: proposal.isr.map((id, at) => ({ brokerId: id, brokerEpoch: proposal.brokerEpochs[at] as number }))
      }))
    }) as Extract<Command, { readonly _tag: "AlterInSyncSets" }>
    const { sentAt } = this
    broker.ask(
      (candidate) => candidate.alter(command),
      (errors) => this.answered(sentAt, proposed, errors),
      broker.losesAnswersUntil > world.queue.now
    )
  }

  private answered(
    sentAt: number,
    proposed: ReadonlyArray<{ readonly replica: Replica; readonly proposal: Proposal }>,
    errors: ReadonlyArray<KafkaError>
  ): void {
    const { sometimes } = this.broker.world
    proposed.forEach(({ proposal, replica }, at) => {
      const error = errors[at] as KafkaError
      if (error === "INELIGIBLE_REPLICA" || error === "INVALID_UPDATE_VERSION" || error === "FENCED_LEADER_EPOCH") sometimes.hit(`AlterPartition: ${error}`)
      replica.proposalAnswered(proposal, error)
    })
    if (this.sentAt !== sentAt) return
    this.sentAt = -1
    if (this.isDue) this.send(false)
  }
}
