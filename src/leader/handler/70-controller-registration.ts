import { errorCode } from "../../../domain/kernel/error-code.ts"
import { ControllerRegistration } from "../../protocol/message/70-controller-registration.ts"
import { type Route, route } from "../../wire/route.ts"
import type { LeaderContext } from "../context.ts"

/** Listeners of a candidate that are described. */
const listenersMax = 8

/**
 * ControllerRegistration 0 (KIP-919): a candidate that stands by says where it is reached and how far it has read the journal,
 * once a second. Its connection may relay requests of clients from then on (Envelope). It changes nothing else but what
 * DescribeQuorum says: candidates are elected by the journal's engine.
 * DUPLICATE_RESOURCE for the id of this leader. `unordered`, since the candidate's Envelopes on the connection may take long.
 */
export const controllerRegistration = ({ candidates, nodeId }: LeaderContext["Type"]): Route =>
  route(ControllerRegistration, { unordered: true }, ({ controllerId, listeners, logEndOffset }, { session }) => {
    if (controllerId === nodeId)
      return { errorCode: errorCode("DUPLICATE_RESOURCE"), errorMessage: `Node ${nodeId} leads this cluster: give the candidate another node.id.` }
    candidates.record(
      controllerId,
      listeners.slice(0, listenersMax).map(({ host, name, port }) => ({ name, host, port })),
      Number(logEndOffset)
    )
    session.noteCandidate(controllerId)
    return { errorCode: 0, errorMessage: null }
  })
