import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { UnregisterBroker } from "../../protocol/message/64-unregister-broker.ts"
import { type Route, route } from "../../wire/route.ts"
import { type LeaderContext, refusal, submission } from "../context.ts"

/** UnregisterBroker 0: an operator takes a broker's registration away. BROKER_ID_NOT_REGISTERED where there is none. */
export const unregisterBroker = (leader: LeaderContext["Type"]): Route =>
  route(UnregisterBroker, {}, ({ brokerId }, context) =>
    leader.writer.submit(submission(leader, Command.UnregisterBroker({ brokerId }), context, "UnregisterBroker")).pipe(
      Effect.tap(() => Effect.logInfo(`broker ${brokerId} was unregistered for ${context.actor}`)),
      Effect.match({
        onSuccess: () => ({ errorCode: 0, errorMessage: null }),
        onFailure: refusal
      })
    )
  )
