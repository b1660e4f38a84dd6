/** Sequence numbers of an idempotent producer (KIP-98): 0 to 2^31 - 1, and then 0 again. */
export const sequenceMax = 0x7fffffff
/** Where a batch has no sequence: its producer is not idempotent, or it is a control batch. */
export const noSequence = -1

/** The sequence `by` steps after `sequence`, round the end. */
export const sequenceAfter = (sequence: number, by: number): number => (sequence > sequenceMax - by ? by - (sequenceMax - sequence) - 1 : sequence + by)
