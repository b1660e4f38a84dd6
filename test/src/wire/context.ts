import type { RequestHeader } from "../../../src/protocol/codec/frame.ts"
import { RequestContext } from "../../../src/wire/route.ts"
import { Session } from "../../../src/wire/session.ts"

/** The session of a client on this machine. */
export const sessionOn = (listener?: string): Session => new Session({ id: 1, remote: { host: "127.0.0.1", port: 1 } }, listener)
/** The context of a request that came over no connection. */
export const contextOf = (
  header: Pick<RequestHeader, "apiKey" | "apiVersion"> & Partial<RequestHeader>,
  frame: Uint8Array = new Uint8Array(0),
  session = sessionOn()
): RequestContext => new RequestContext({ correlationId: 1, clientId: "test", unknownTags: [], ...header }, session, frame)
