import { Data, type Effect, type Stream } from "effect"

/**
 * Why a call to etcd failed. `kind` says what is known of a write: "unsent": no request reached etcd. "full": its store takes no
 * writes. "denied": the user may not, or is not known. "refused": any other refusal that changed nothing. "unknown": the
 * write may have happened, or may still happen.
 */
export class EtcdFault extends Data.TaggedError("EtcdFault")<{
  readonly kind: "unsent" | "full" | "denied" | "refused" | "unknown"
  /** What happened at which address: a sentence for the operator. */
  readonly message: string
}> {}

export interface KeyValue {
  readonly key: string
  readonly value: Uint8Array
  /** The revision of the store at which the key was last put. */
  readonly modRevision: number
}

/** Keys from `key` to before `end`; `key` alone without an end. */
export interface KeyRange {
  readonly key: string
  readonly end?: string
}

export interface RangeRequest extends KeyRange {
  /** Keys that are returned at most; 0 or absent: all. */
  readonly limit?: number
  readonly keysOnly?: boolean
  /** The last keys first. */
  readonly descending?: boolean
}

/** Holds when the key was last put at `modRevision`; 0: when there is no such key. */
export interface Compare {
  readonly key: string
  readonly modRevision: number
}

export type Operation =
  | { readonly put: string; readonly value: Uint8Array; readonly lease?: string }
  | { readonly range: RangeRequest }
  | { readonly remove: KeyRange }

/** `then` is done where all of `compares` hold, `otherwise` where not: atomically, after a majority of the members has it. */
export interface Txn {
  readonly compares: ReadonlyArray<Compare>
  readonly then: ReadonlyArray<Operation>
  readonly otherwise?: ReadonlyArray<Operation>
}

export interface TxnResult {
  readonly succeeded: boolean
  /** The store's revision after the transaction: that of the keys that it put. */
  readonly revision: number
  /** What the ranges among the operations found, in their order. */
  readonly ranges: ReadonlyArray<ReadonlyArray<KeyValue>>
}

/** The store of a member: its size, the size at which it refuses writes, and its alarms. */
export interface EtcdStatus {
  readonly version: string
  readonly storeBytes: number
  /** Undefined where the member does not say. */
  readonly quotaBytes: number | undefined
  readonly revision: number
  /** Whether the member knows a leader of etcd: without one there is no majority. */
  readonly hasLeader: boolean
  /** Whether the store refuses writes: it was over its quota, and the alarm was not cleared since. */
  readonly isFull: boolean
}

/**
 * What the journal needs of etcd. No call is ever sent a second time after etcd may have seen it: whether a write with the
 * fault "unknown" happened is for the caller to settle.
 */
export interface EtcdClient {
  /** Where etcd is, for messages. */
  readonly where: string
  readonly txn: (txn: Txn) => Effect.Effect<TxnResult, EtcdFault>
  /** The newest state, read after a majority agreed. */
  readonly range: (request: RangeRequest) => Effect.Effect<ReadonlyArray<KeyValue>, EtcdFault>
  /** Grants a lease of at least so many seconds. Returns its id. */
  readonly grant: (seconds: number) => Effect.Effect<string, EtcdFault>
  /** Renews a lease. Returns whether it was still there. */
  readonly renew: (lease: string) => Effect.Effect<boolean, EtcdFault>
  /** Ends a lease: its keys are removed. */
  readonly revoke: (lease: string) => Effect.Effect<void, EtcdFault>
  /**
   * Returns an element at the beginning and after each change in the range. A hint and no more: it may hang or miss changes, so that
   * the caller reads from time to time by itself. Ends, or fails, when the member loses its leader or the connection.
   */
  readonly watch: (range: KeyRange) => Stream.Stream<void, EtcdFault>
  readonly status: Effect.Effect<EtcdStatus, EtcdFault>
}
