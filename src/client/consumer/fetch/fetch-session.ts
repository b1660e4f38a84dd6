import type { KafkaError } from "../../../../domain/kernel/error-code.ts"

/** What a fetch asks of one partition. Its topic is named by id where `topicId` is not zero, else by name. */
export interface FetchPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly from: number
  readonly leaderEpoch: number
  readonly bytesMax: number
}

/** How a request goes on with the session, and what it has to say. */
export interface SessionStep {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly changed: ReadonlyArray<FetchPlace>
  readonly forgotten: ReadonlyArray<FetchPlace>
}

const openingEpoch = 0
const int32Max = 0x7fff_ffff

export const isSessionError = (error: KafkaError): boolean =>
  error === "FETCH_SESSION_ID_NOT_FOUND" || error === "INVALID_FETCH_SESSION_EPOCH" || error === "FETCH_SESSION_TOPIC_ID_ERROR"

const keyOf = ({ partition, topic }: FetchPlace): string => `${partition} ${topic}`

const isSame = (one: FetchPlace, other: FetchPlace): boolean =>
  one.from === other.from && one.leaderEpoch === other.leaderEpoch && one.bytesMax === other.bytesMax

/**
 * The client's end of a fetch session with one node (KIP-227): a request says only what has changed since the one before. The node has what was asked only if it has
 * answered; after anything else (no answer, a refusal, an answer that does not fit) the next request says everything, which opens a new session in place of the old.
 * A node that gives no session is asked for everything each time.
 */
export class FetchSession {
  private id = 0
  private epoch = openingEpoch
  private held = new Map<string, FetchPlace>()
  private byIds = false

  /** The next request, for these partitions and no others. `byIds` says how it names topics: a session cannot change that. */
  next(places: ReadonlyArray<FetchPlace>, byIds: boolean): SessionStep {
    if (byIds !== this.byIds) this.restart()
    this.byIds = byIds
    const before = this.held
    this.held = new Map(places.map((place) => [keyOf(place), place]))
    const isNamedAnew = places.some((place) => {
      const known = before.get(keyOf(place))
      return known !== undefined && known.topicId !== place.topicId
    })
    // A topic was made again. To a node that goes by names the old one and the new one are the same, and both cannot be said of it in one request.
    if (isNamedAnew) this.restart()
    const step = { sessionId: this.id, sessionEpoch: this.epoch }
    if (this.epoch === openingEpoch) return { ...step, changed: places, forgotten: [] }
    const changed = places.filter((place) => {
      const known = before.get(keyOf(place))
      return known === undefined || !isSame(known, place)
    })
    const forgotten = [...before].filter(([key]) => !this.held.has(key)).map(([, place]) => place)
    return { ...step, changed, forgotten }
  }

  /** The node has answered the last request in the session of this id; 0: in none. */
  answered(sessionId: number): void {
    if (sessionId === 0) return this.forgotten()
    // An answer in another session than was asked for speaks of other partitions.
    if (this.epoch !== openingEpoch && sessionId !== this.id) return this.restart()
    this.id = sessionId
    this.epoch = this.epoch === int32Max ? 1 : this.epoch + 1
  }
  /** The node does not know the session. */
  forgotten(): void {
    this.id = 0
    this.epoch = openingEpoch
  }
  /** Nobody knows what the node has of the last request: the next opens a new session, and closes this one by naming it. */
  restart(): void {
    this.epoch = openingEpoch
  }
  get isOpening(): boolean {
    return this.epoch === openingEpoch
  }
}
