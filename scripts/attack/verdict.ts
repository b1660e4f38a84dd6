/** What the honest clients of a node under attack met. */
export interface Verdict {
  /** The longest wait for ApiVersions over a connection that was open, and over a new one with its handshake; and of one message for its acknowledgement, ms. */
  readonly openMs: number
  readonly newMs: number
  readonly produceMs: number
  /** ApiVersions that were answered over open connections. */
  readonly probes: number
  /** Messages that were acknowledged, and of these the ones that the group was given. */
  readonly acknowledged: number
  readonly receivedByGroup: number
  /** Acknowledged messages that are not at their place, and messages that are there more than once. */
  readonly lost: ReadonlyArray<string>
  readonly twice: ReadonlyArray<string>
  /** Errors that an honest client saw, the first twenty. */
  readonly failures: ReadonlyArray<string>
}
