import type { KafkaError } from "../../../../domain/kernel/error-code.ts"

/** What a fetch asks for of one partition. Its topic is named by id where `topicId` is not zero, else by name. */
export interface FetchPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly from: number
  readonly leaderEpoch: number
  readonly bytesMax: number
}

/** The session fields of a request, and the partitions that it must name. */
interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly changed: ReadonlyArray<FetchPartition>
  readonly forgotten: ReadonlyArray<FetchPartition>
}

/** The epoch of a full request, which opens a session. */
const openingEpoch = 0
const int32Max = 0x7fff_ffff

export const isSessionError = (error: KafkaError): boolean =>
  error === "FETCH_SESSION_ID_NOT_FOUND" || error === "INVALID_FETCH_SESSION_EPOCH" || error === "FETCH_SESSION_TOPIC_ID_ERROR"

const keyOf = ({ partition, topic }: FetchPartition): string => `${partition} ${topic}`

const isSame = (one: FetchPartition, other: FetchPartition): boolean =>
  one.from === other.from && one.leaderEpoch === other.leaderEpoch && one.bytesMax === other.bytesMax

/**
 * The client's side of a fetch session with one node (KIP-227): a request names only the partitions that have changed
 * since the request before. The node has a request only if it responded to it. After any other result (no response, an
 * error, a response that does not match) the next request names all partitions, and opens a new session in place of the
 * old one. A node that opens no session gets all partitions in each request.
 */
export class FetchSession {
  private id = 0
  private epoch = openingEpoch
  private requested = new Map<string, FetchPartition>()
  private byIds = false

  /**
   * Returns the next request for these partitions and no others. `byIds`: whether it names topics by ids. A session
   * cannot change that.
   */
  next(partitions: ReadonlyArray<FetchPartition>, byIds: boolean): SessionRequest {
    if (byIds !== this.byIds) this.restart()
    this.byIds = byIds
    const before = this.requested
    this.requested = new Map(partitions.map((partition) => [keyOf(partition), partition]))
    const isRecreated = partitions.some((partition) => {
      const known = before.get(keyOf(partition))
      return known !== undefined && known.topicId !== partition.topicId
    })
    // A topic was deleted and created again. A node that knows topics by names cannot tell the two apart, and one
    // request cannot both forget the one and add the other.
    if (isRecreated) this.restart()
    const session = { sessionId: this.id, sessionEpoch: this.epoch }
    if (this.epoch === openingEpoch) return { ...session, changed: partitions, forgotten: [] }
    const changed = partitions.filter((partition) => {
      const known = before.get(keyOf(partition))
      return known === undefined || !isSame(known, partition)
    })
    const forgotten = [...before].filter(([key]) => !this.requested.has(key)).map(([, partition]) => partition)
    return { ...session, changed, forgotten }
  }

  /** The node responded to the last request in the session of this id; 0: in none. */
  onResponse(sessionId: number): void {
    if (sessionId === 0) return this.onSessionLost()
    // A response of another session is about other partitions.
    if (this.epoch !== openingEpoch && sessionId !== this.id) return this.restart()
    this.id = sessionId
    this.epoch = this.epoch === int32Max ? 1 : this.epoch + 1
  }
  /** The node does not have the session. */
  onSessionLost(): void {
    this.id = 0
    this.epoch = openingEpoch
  }
  /**
   * Whether the node has the last request is not known: the next request opens a new session, and closes this one by
   * naming its id.
   */
  restart(): void {
    this.epoch = openingEpoch
  }
  get isOpening(): boolean {
    return this.epoch === openingEpoch
  }
}
