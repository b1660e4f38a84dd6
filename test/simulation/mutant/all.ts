import { compactedNotSynced, gapsAreDamage, lastOfKeyDropped } from "./compaction-mutants.ts"
import { groupMutants } from "./group-mutants.ts"
import { answerBeforeJournal, appendLost, commandsForgotten, snapshotStale } from "./journal-mutants.ts"
import {
  ackBeforeSync,
  blindRetry,
  directoryNotSynced,
  failedSyncIgnored,
  journalNotSynced,
  noDeduplication,
  producersForgotten,
  startForgotten,
  zeroOffset
} from "./log-mutants.ts"
import type { Mutant } from "./mutant.ts"
import { replicaMutants } from "./replica-mutants.ts"

/** Every planted mistake. */
export const mutants: ReadonlyArray<Mutant> = [
  ackBeforeSync,
  journalNotSynced,
  directoryNotSynced,
  producersForgotten,
  failedSyncIgnored,
  noDeduplication,
  zeroOffset,
  blindRetry,
  startForgotten,
  lastOfKeyDropped,
  compactedNotSynced,
  gapsAreDamage,
  appendLost,
  answerBeforeJournal,
  snapshotStale,
  commandsForgotten,
  ...replicaMutants,
  ...groupMutants
]
