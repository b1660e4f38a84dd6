import { Context, Effect, type Scope } from "effect"
import { type Forward, forwardOver, relayFailure } from "../serve/relay/forward.ts"
import type { RelayFailure } from "../serve/relay/relay-failure.ts"
import type { Link } from "../wire/link.ts"
import { LeaderContact } from "./leader-contact.ts"
import { RelayLinks } from "./relay-links.ts"

/**
 * Relays requests that only the leader can answer: unchanged, in Kafka's Envelope, with the principal and the address
 * of the client. Links are opened on demand and kept. The leader answers the Envelopes of one link in any order.
 */
export class Relay extends Context.Tag("comanche-franz/broker/Relay")<
  Relay,
  {
    /** Returns the leader's response to the request in `context`. `timeoutMs` bounds the wait for the response. */
    readonly forward: Forward
    /** Calls the leader on a link on which this broker is identified. */
    readonly withLink: <A>(use: (link: Link) => Effect.Effect<A, RelayFailure>) => Effect.Effect<A, RelayFailure>
  }
>() {
  // The server's scope is younger, so that the relay still delivers responses while the server finishes its requests.
  static readonly make: Effect.Effect<Relay["Type"], never, LeaderContact | Scope.Scope> = Effect.gen(function* () {
    const { openAsBroker } = yield* LeaderContact
    const links = new RelayLinks(Effect.mapError(openAsBroker("relay"), relayFailure), yield* Effect.scope)
    return { forward: forwardOver(links.withLink), withLink: links.withLink }
  })
}
