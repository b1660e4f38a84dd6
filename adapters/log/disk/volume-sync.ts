/** What one sync of a volume did. */
export interface VolumeRound {
  /** The newest ticket that it covers. */
  readonly covered: number
  /** What the platform answered, or what ended the thread; undefined when the bytes are durable. */
  readonly error: unknown
  /** How long the sync took, ms. */
  readonly ms: number
}

/**
 * Makes durable, one sync after the other and off the event loop, all that was written to one volume. A sync covers what was written before it starts, so a request
 * that comes while the thread pauses belongs to the sync that follows. After a round with an error there is none any more.
 */
export interface VolumeSync {
  /** Asks for a sync of all that was written before the call. Returns its ticket: a round that covers it, or a later one, made it durable. Tickets wrap after 2^31. */
  readonly ask: () => number
  /** How long the thread waits for more requests after the first one of a round, ms. */
  readonly pause: (ms: number) => void
  /** The next sync starts at once, without what is left of its pause. */
  readonly hurry: () => void
  readonly close: () => void
}

/** Where a volume can be synced as a whole. */
export interface SyncableVolume {
  /** Whether the file is on this volume. Throws what the platform throws. */
  readonly holds: (path: string) => boolean
  /** Starts the thread. `heard` gets every round; the first one comes without a ticket, when the thread is ready. */
  readonly start: (heard: (round: VolumeRound) => void) => VolumeSync
  /** The volume is not used any more; a thread that was closed ends by itself. */
  readonly close: () => void
}

/** Whether a round that covers `covered` made the request with `ticket` durable. Tickets are int32 and wrap. */
export const covers = (covered: number, ticket: number): boolean => ((covered - ticket) | 0) >= 0
