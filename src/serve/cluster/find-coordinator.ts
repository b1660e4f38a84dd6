import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { FindCoordinator } from "../../protocol/message/10-find-coordinator.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import type { RequestContext } from "../../wire/route.ts"
import { distinct, mapped, Sliced, type Steps } from "../../wire/sliced.ts"
import { coordinators, relays } from "./nodes.ts"

type Request = RequestOf<typeof FindCoordinator>
type Response = ResponseDraft<typeof FindCoordinator>
type Coordinator = NonNullable<Response["coordinators"]>[number]

/** The types of keys: a group or a transactional id. Share groups (2) are not implemented. */
const keyTypes = { group: 0, transaction: 1 }
/** The first version with several keys in a request (KIP-699). */
const batchSince = 4

const failure = (key: string, error: KafkaError, errorMessage: string): Coordinator => ({
  key,
  nodeId: -1,
  host: "",
  port: -1,
  errorCode: errorCode(error),
  errorMessage
})

const coordinator = (find: ReturnType<typeof relays>, keyType: number, key: string): Coordinator => {
  if (keyType !== keyTypes.group && keyType !== keyTypes.transaction)
    return failure(key, "INVALID_REQUEST", `There is no coordinator for keys of type ${keyType}: 0 is groups, 1 is transactions.`)
  const node = find(key)
  if (node === undefined) return failure(key, "COORDINATOR_NOT_AVAILABLE", "No broker that coordinates it is ready.")
  return { key, nodeId: node.nodeId, host: node.host, port: node.port, errorCode: 0, errorMessage: null }
}

/**
 * FindCoordinator: the broker that coordinates a group, or the node through which the leader does (`coordinators`); the response has a duplicate key once. COORDINATOR_NOT_AVAILABLE
 * while there is none, INVALID_REQUEST for other kinds of keys.
 */
export const findCoordinator =
  (image: () => Cluster) =>
  (request: Request, { listener, version }: Pick<RequestContext, "listener" | "version">): Response | Sliced<Response> => {
    const find = (request.keyType === keyTypes.transaction ? relays : coordinators)(image(), listener)
    if (version >= batchSince) {
      return new Sliced(function* (): Steps<Response> {
        const keys = yield* distinct(request.coordinatorKeys)
        return { coordinators: yield* mapped(keys, (key) => coordinator(find, request.keyType, key)) }
      })
    }
    const { nodeId, host, port, errorCode, errorMessage } = coordinator(find, request.keyType, request.key)
    return { errorCode, errorMessage, nodeId, host, port }
  }
