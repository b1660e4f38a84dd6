import type { NodeConfig } from "../kernel/config.ts"

/** Bounds of groups that an operator may configure, with the names of Kafka's broker settings. */
export interface Limits {
  /** `group.min.session.timeout.ms` */
  readonly sessionTimeoutMinMs: number
  /** `group.max.session.timeout.ms` */
  readonly sessionTimeoutMaxMs: number
  /** `group.max.size`: members of one group. */
  readonly groupSizeMax: number
  /**
   * Member ids handed out and not yet used, in one group. Kafka has no bound here; a client that only ever asks for ids
   * must not fill the journal.
   */
  readonly pendingMembersMax: number
  /** `group.initial.rebalance.delay.ms`: how long an empty group waits for more members before its first generation. */
  readonly initialRebalanceDelayMs: number
  /**
   * How long a new member that waits in its first round is kept without a word from it (Kafka's five minutes: it cannot
   * heartbeat yet).
   */
  readonly newMemberJoinTimeoutMs: number
  /**
   * `franz.group.name.max.bytes`: length of a new group's name, of a new static member's, and of what a new member
   * calls its kind and its assignors, in UTF-16 units.
   */
  readonly nameMax: number
  /** `franz.group.max.bytes`: bytes of one group (`size.ts`). */
  readonly groupBytesMax: number
  /** `franz.groups.max.count`: groups of the node. */
  readonly groupsMax: number
  /** `franz.groups.max.bytes`: bytes of all groups of the node. */
  readonly groupsBytesMax: number
  /**
   * `offset.metadata.max.bytes`: length of the text beside a committed offset, counted as Kafka counts it, in UTF-16
   * units.
   */
  readonly offsetMetadataMax: number
  /** `offsets.retention.minutes`, in milliseconds. */
  readonly offsetsRetentionMs: number
}

/** Kafka 4.4's defaults, and ours for what Kafka does not bound. */
export const defaults: Limits = {
  sessionTimeoutMinMs: 6_000,
  sessionTimeoutMaxMs: 1_800_000,
  groupSizeMax: 2_147_483_647,
  pendingMembersMax: 10_000,
  initialRebalanceDelayMs: 3_000,
  newMemberJoinTimeoutMs: 300_000,
  nameMax: 255,
  groupBytesMax: 4 * 1024 * 1024,
  groupsMax: 100_000,
  groupsBytesMax: 64 * 1024 * 1024,
  offsetMetadataMax: 4_096,
  offsetsRetentionMs: 7 * 24 * 60 * 60 * 1_000
}

/** The limits that a node is configured with; what has no setting keeps its default. */
export const limitsOf = (config: NodeConfig): Limits => ({
  ...defaults,
  sessionTimeoutMinMs: config["group.min.session.timeout.ms"],
  sessionTimeoutMaxMs: config["group.max.session.timeout.ms"],
  groupSizeMax: config["group.max.size"],
  initialRebalanceDelayMs: config["group.initial.rebalance.delay.ms"],
  nameMax: config["franz.group.name.max.bytes"],
  groupBytesMax: config["franz.group.max.bytes"],
  groupsMax: config["franz.groups.max.count"],
  groupsBytesMax: config["franz.groups.max.bytes"],
  offsetMetadataMax: config["offset.metadata.max.bytes"],
  offsetsRetentionMs: config["offsets.retention.minutes"] * 60_000
})
