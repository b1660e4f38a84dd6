let last = 0
/** Returns the next connection id, which is unique in this process over all adapters. */
export const nextConnectionId = (): number => ++last
