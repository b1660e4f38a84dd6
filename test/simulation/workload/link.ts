import { Effect, type Scope } from "effect"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { connect, type Link } from "../../../src/wire/link.ts"

/** A connection of a client that speaks the protocol itself. */
export const linkTo = (address: Address, clientId: string): Effect.Effect<Link, unknown, Transport | Scope.Scope> =>
  connect(address, { clientId, connectTimeoutMs: 2000, requestTimeoutMs: 5000, inFlightRequestsMax: 5, responseBytesMax: 10_000_000 })
