import type { Command } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { acknowledgedEnd } from "../../../domain/partition/lead.ts"
import { realRules as modelRules } from "../../../scripts/model/rules.ts"

/**
 * The functions of the domain that a run calls, as in `scripts/model`, and what the world around them does. A mutant
 * replaces some of them.
 */
export const realRules = {
  ...modelRules,
  acknowledgedEnd,
  /** What the cluster's leader makes of a command before it decides: nothing. */
  commanded: (_cluster: Cluster, command: Command): Command => command,
  /** What it makes of the events of a decision: nothing. */
  decided: (_cluster: Cluster, events: ReadonlyArray<Event>): ReadonlyArray<Event> => events,
  /** Whether acks=all requests that wait are refused when the leadership ends; otherwise they are answered. */
  endsWaiters: true,
  /** Whether a duplicate is acknowledged only when its records are committed. */
  waitsForDuplicates: true,
  /** Whether a cut lowers the end that is believed to be synced. */
  lowersSyncedEnd: true,
  /** Whether a cut lowers the high watermark that is stored. */
  lowersCheckpoints: true,
  /** Whether a broker disowns logs that are missing, before it is unfenced. */
  disownsMissingLogs: true,
  /** Whether the notes of the logs that a broker has made go with its disk. */
  losesNotes: true,
  /** Whether a running broker that lost a log waits for a higher leader epoch before it makes a new one. */
  waitsForHigherEpoch: true,
  /** Whether consumers read committed records alone. */
  readsCommitted: true,
  /** Whether the producers of a log are folded again after a cut. */
  cutsProducers: true,
  /** Whether the cluster's leader answers nothing past its lease. */
  checksLease: true,
  /** Whether a deposed leader's appends to the journal are refused. */
  fencesJournal: true
}
export type Rules = typeof realRules

/**
 * Serves the fetch of a registration that the image of the partition's leader does not have yet, as brokers did before
 * decision 108: it does not count. Runs whose seed was found with it keep their course.
 */
export const servesUnknownRegistrations: Rules["fetchRefusal"] = (state, request) => {
  const known = state.followers.find(({ id }) => id === request.id)
  return known !== undefined && request.brokerEpoch > known.brokerEpoch
    ? realRules.fetchRefusal(state, { ...request, brokerEpoch: known.brokerEpoch })
    : realRules.fetchRefusal(state, request)
}
