import type { ServerContext } from "../connection/server-context.ts"
import { placeBytes, type Slot, type Slots } from "../connection/slots.ts"
import { Encoded } from "../route.ts"

/** Called when the response is encoded from `answer`. After heavy work the request holds only its response, and the next one may begin. */
export const finished = ({ counts, memory, turns }: ServerContext, slots: Slots, slot: Slot, answer: unknown): void => {
  if (slot.route !== undefined) {
    if (answer instanceof Encoded) counts.answeredWith(slot.route.api, answer.errorCodes)
    else counts.answered(slot.route.api, slot.chunks === undefined ? undefined : answer)
  }
  if (slot.ticket === undefined) return
  let bytes = 0
  for (const chunk of slot.chunks ?? []) bytes += chunk.length
  memory.leaves(slot.held + bytes)
  slots.keep(slot, (slot.context?.frame.length ?? 0) + placeBytes + bytes)
  turns.leave(slot.ticket)
}

/** Called when the handler has returned. A handler that borrows (Fetch, JoinGroup, SyncGroup) may wait for minutes and keeps only what it needs: the next request may begin meanwhile. */
export const leavesToWait = ({ turns }: ServerContext, { route, ticket }: Slot): void => {
  if (ticket !== undefined && route?.borrows === true) turns.leave(ticket)
}

/** Cancels all requests in flight. */
export const abandon = ({ turns }: ServerContext, slots: Slots): void => {
  for (const { stop, ticket } of slots.clear()) {
    stop?.()
    if (ticket !== undefined) turns.leave(ticket)
  }
}
