let last = 0
/** The next number for a connection, unique in this process whatever adapter makes it. */
export const nextConnectionId = (): number => ++last
