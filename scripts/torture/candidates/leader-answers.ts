import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { DescribeQuorum } from "../../../src/protocol/message/55-describe-quorum.ts"
import { asking } from "../topic-state.ts"

const quorumVersion = 1
const askEveryMs = 150
const answerWithinMs = 5000

interface Claim {
  readonly nodeId: number
  readonly epoch: number
}

/**
 * Asks every candidate and every broker who leads, all the time. The leader answers, also through others. A request that
 * was sent after a leader of an epoch had answered is never answered by a leader of an older epoch, nor two nodes in one.
 */
export class LeaderAnswers {
  answers = 0
  private epoch = -1
  private readonly leaders = new Map<number, number>()
  private isOver = false
  private running: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly ports: ReadonlyMap<string, number>,
    private readonly complain: (complaint: string) => void
  ) {}

  start(): void {
    this.running = Promise.all([...this.ports].map(([name, port]) => this.askAgain(name, port)))
  }
  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  private async askAgain(name: string, port: number): Promise<void> {
    while (!this.isOver) {
      const before = this.epoch
      const claim = await claimAt(port)
      if (claim !== undefined) this.take(name, claim, before)
      await Bun.sleep(askEveryMs)
    }
  }
  /** Notes an answer. `before` is the newest epoch that had answered when the request was sent. */
  take(name: string, { epoch, nodeId }: Claim, before: number): void {
    this.answers += 1
    if (epoch < before)
      this.complain(`M4: ${name} was answered by node ${nodeId} as the leader of epoch ${epoch}, after a leader of epoch ${before} had answered`)
    const known = this.leaders.get(epoch)
    if (known !== undefined && known !== nodeId) this.complain(`M4: nodes ${known} and ${nodeId} both answer as the leader of epoch ${epoch}`)
    this.leaders.set(epoch, nodeId)
    this.epoch = Math.max(this.epoch, epoch)
  }
}

/** Undefined where no leader answers. */
const claimAt = async (port: number): Promise<Claim | undefined> => {
  try {
    const topics = [{ topicName: metadataTopic, partitions: [{ partitionIndex: 0 }] }]
    const { errorCode, topics: found } = await asking(port, (connection) => connection.call(DescribeQuorum, quorumVersion, { topics }), answerWithinMs)
    const partition = found[0]?.partitions[0]
    return errorCode !== 0 || partition === undefined || partition.errorCode !== 0 ? undefined : { nodeId: partition.leaderId, epoch: partition.leaderEpoch }
  } catch {
    return undefined
  }
}
