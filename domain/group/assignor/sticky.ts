import type { Assignor, Subscription } from "./assignor.ts"
import { assignGeneral } from "./sticky-general.ts"
import { type Memory, named, noGeneration, stickyInput } from "./sticky-input.ts"
import { assignUniform } from "./sticky-uniform.ts"
import { decodeStickyUserData } from "./sticky-user-data.ts"

/**
 * The owned partitions are in the member's user data: under the eager protocol it revokes all of them before it joins.
 */
const memory = ({ userData }: Subscription): Memory => {
  if (userData === null || userData.length === 0) return { owned: [], generation: null }
  const said = decodeStickyUserData(userData)
  return said === null ? { owned: [], generation: noGeneration } : { owned: said.previous, generation: said.generation }
}

const noMemory: Memory = { owned: [], generation: null }

/**
 * As balanced as it can be, and each member keeps what it had where that allows it (KIP-54). Everything is given up
 * before each rebalance.
 */
export const sticky: Assignor = {
  name: "sticky",
  assign: (subscriptions, partitions) => {
    const input = stickyInput(subscriptions, partitions, (member) => {
      const subscription = subscriptions.get(member)
      return subscription === undefined ? noMemory : memory(subscription)
    })
    return named(input, input.uniform ? assignUniform(input) : assignGeneral(input))
  }
}
