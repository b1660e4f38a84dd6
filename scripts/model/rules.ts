import { change } from "../../domain/cluster/election.ts"
import { answered, cutAt, follow, heard, nextFetch } from "../../domain/partition/follow.ts"
import { outcomeOf } from "../../domain/partition/in-sync.ts"
import { appended, divergence, fetched, fetchRefusal, image, lead, proposalAnswered, proposalSent, started, synced, tick } from "../../domain/partition/lead.ts"
import { alterFault } from "./journal.ts"

/** The functions that the model runs: those of the domain. A mutant replaces some of them. */
export const realRules = {
  change,
  alterFault,
  lead,
  appended,
  synced,
  started,
  fetchRefusal,
  divergence,
  fetched,
  image,
  proposalSent,
  proposalAnswered,
  outcomeOf,
  tick,
  follow,
  nextFetch,
  answered,
  cutAt,
  heard,
  /** What a follower does to its log when it begins to follow: nothing. */
  cutOnFollow: (end: number, _highWatermark: number): number => end,
  /** Whether a restarted process waits for its own registration in its image before it has a role. */
  waitsForRegistration: true,
  /** Whether epochs without records are forgotten with a cut. */
  cutsEpochs: true,
  /** Whether a leader believes AlterPartition's answer before the event. */
  believesAnswers: false
}
export type Rules = typeof realRules
