import type { ModelRecord, ModelState } from "./state.ts"

const sameRecord = (one: ModelRecord | undefined, other: ModelRecord | undefined): boolean =>
  one !== undefined && one.id === other?.id && one.epoch === other.epoch

/**
 * R3, StrongIsr: what a replica holds for committed is on the disks of all replicas that may lead next: the true in-sync
 * set, and the ELR.
 */
const strongIsr = (state: ModelState): string | undefined => {
  const { elr, isr } = state.now.partition
  for (const [index, { follow, isUp, lead, log }] of state.replicas.entries()) {
    const highWatermark = isUp ? (lead?.highWatermark ?? follow?.highWatermark ?? 0) : 0
    for (const member of [...isr, ...elr]) {
      const other = state.replicas[member]
      for (let offset = 0; offset < highWatermark; offset++)
        if (other === undefined || offset >= other.synced || !sameRecord(log[offset], other.log[offset]))
          return `StrongIsr: replica ${index} holds ${highWatermark} records for committed; replica ${member}, which may lead next, lacks record ${offset}`
    }
  }
  return undefined
}

/** L7: what DeleteRecords was answered for is deleted in the logs of all replicas that may lead next. */
const deletedStays = (state: ModelState): string | undefined => {
  const { elr, isr } = state.now.partition
  for (const [index, { isUp, lead }] of state.replicas.entries())
    for (const member of [...isr, ...elr])
      if (isUp && lead !== undefined && (state.replicas[member]?.start ?? 0) < lead.lowWatermark)
        return `DeletedStays: replica ${index} answers that the records before ${lead.lowWatermark} are deleted; replica ${member}, which may lead next, has them`
  return undefined
}

/** R2. */
const leaderInIsr = (state: ModelState): string | undefined => {
  const { isr, leader } = state.now.partition
  return leader === -1 || isr.includes(leader) ? undefined : `LeaderInIsr: the leader ${leader} is not in the in-sync set ${isr}`
}

/** R4: the same offset and epoch mean the same records up to there. */
const logMatching = ({ replicas }: ModelState): string | undefined => {
  for (const [one, { log }] of replicas.entries())
    for (let other = one + 1; other < replicas.length; other++) {
      const theirs = replicas[other]?.log ?? []
      for (let last = Math.min(log.length, theirs.length) - 1; last >= 0; last--) {
        if (log[last]?.epoch !== theirs[last]?.epoch) continue
        for (let offset = 0; offset <= last; offset++)
          if (!sameRecord(log[offset], theirs[offset]))
            return `LogMatching: replicas ${one} and ${other} have epoch ${log[last]?.epoch} at offset ${last}, and other records at ${offset}`
        break
      }
    }
  return undefined
}

/** R1: two replicas that believe to lead do so under different epochs. */
const oneLeader = ({ replicas }: ModelState): string | undefined => {
  const epochs = replicas.flatMap(({ isUp, lead }) => (isUp && lead !== undefined ? [lead.epoch] : []))
  return new Set(epochs).size === epochs.length ? undefined : `OneLeader: two replicas lead under one of the epochs ${epochs}`
}

/** Returns which invariant a state breaks. */
export const broken = (state: ModelState): string | undefined =>
  strongIsr(state) ?? deletedStays(state) ?? leaderInIsr(state) ?? logMatching(state) ?? oneLeader(state)
