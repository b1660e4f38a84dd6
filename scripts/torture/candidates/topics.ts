import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { zeroUuid } from "../../../src/protocol/type/wire.ts"
import type { Acknowledgements } from "../pauses.ts"
import { asking } from "../topic-state.ts"

const createVersion = 7
const deleteVersion = 6
/** How long one request may take: the next one is sent to the next broker, ms. */
const attemptMs = 1000
const pauseMs = 30
/** Topics that are there at the same time. */
const topicsMax = 20

/** The name under which the acknowledgements of CreateTopics are noted. */
export const creating = "CreateTopics"
/** What a cluster without a leader, or with one that changes, may answer: clients repeat the request. */
const withoutLeader: ReadonlySet<KafkaError> = new Set(["NOT_CONTROLLER", "REQUEST_TIMED_OUT"])
/** Part of the message of a leader that has heard no broker for the time of a session, as on a machine that stood still: each is unfenced with its next heartbeat. */
const allFenced = "All brokers are currently fenced"

/** Creates and deletes topics all the time, through one broker after the other. */
export class TopicMaker {
  /** Topics that were acknowledged and not deleted, by name. */
  readonly present = new Map<string, string>()
  /** Ids of all topics whose creation was acknowledged, and of those whose deletion was. */
  readonly created = new Map<string, string>()
  readonly deleted = new Set<string>()
  /** Refusals that clients repeat, and requests without a response. */
  readonly refused = new Map<string, number>()
  private isOver = false
  private running: Promise<void> = Promise.resolve()

  constructor(
    private readonly ports: ReadonlyArray<number>,
    private readonly acknowledgements: Acknowledgements,
    private readonly complain: (complaint: string) => void
  ) {}

  start(): void {
    this.running = this.run()
  }
  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  private async run(): Promise<void> {
    for (let nth = 0; !this.isOver; nth++) {
      const port = this.ports[nth % this.ports.length] ?? 0
      await this.create(port, `made-${nth}`)
      const [oldest] = this.present.keys()
      if (this.present.size > topicsMax && oldest !== undefined) await this.remove(port, oldest)
      await Bun.sleep(pauseMs)
    }
  }
  private async create(port: number, name: string): Promise<void> {
    const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }]
    const response = await this.attempt(port, (connection) =>
      connection.call(CreateTopics, createVersion, { topics, timeoutMs: attemptMs, validateOnly: false })
    )
    const result = response?.topics[0]
    if (result === undefined || !this.isDone(`CreateTopics ${name}`, result.errorCode, result.errorMessage)) return
    this.acknowledgements.add(creating, 0, Date.now())
    this.present.set(name, result.topicId)
    this.created.set(result.topicId, name)
  }
  private async remove(port: number, name: string): Promise<void> {
    const topicId = this.present.get(name) ?? ""
    // From the request on it may be gone.
    this.present.delete(name)
    const response = await this.attempt(port, (connection) =>
      connection.call(DeleteTopics, deleteVersion, { topics: [{ name, topicId: zeroUuid }], timeoutMs: attemptMs })
    )
    const result = response?.responses[0]
    if (result !== undefined && this.isDone(`DeleteTopics ${name}`, result.errorCode, result.errorMessage)) this.deleted.add(topicId)
  }
  /** Undefined where there was no response in time. */
  private async attempt<A>(port: number, ask: Parameters<typeof asking<A>>[1]): Promise<A | undefined> {
    try {
      return await asking(port, ask, attemptMs)
    } catch {
      this.refuse("no response")
      return undefined
    }
  }
  private isDone(what: string, code: number, message: string | null): boolean {
    const error = kafkaError(code)
    if (error === "NONE") return true
    if (withoutLeader.has(error)) this.refuse(error)
    else if (error === "INVALID_REPLICATION_FACTOR" && message?.includes(allFenced) === true) this.refuse(allFenced)
    else this.complain(`${what}: ${error} ${message ?? ""}`)
    return false
  }
  private refuse(why: string): void {
    this.refused.set(why, (this.refused.get(why) ?? 0) + 1)
  }
}
