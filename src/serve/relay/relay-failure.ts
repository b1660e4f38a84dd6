import { Data } from "effect"

/**
 * Why a request to the leader has no response. The handler answers with an error after which clients look for the
 * leader again.
 */
export class RelayFailure extends Data.TaggedError("RelayFailure")<{ readonly message: string }> {}
