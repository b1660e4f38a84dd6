import { Effect } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { DescribeConfigs } from "../../protocol/message/32-describe-configs.ts"
import { IncrementalAlterConfigs } from "../../protocol/message/44-incremental-alter-configs.ts"
import type { Client } from "../cluster/client.ts"
import { type CallError, failure, type InvalidArgument, NodeRefused, type NotAuthorized } from "../error.ts"
import { commandId } from "../topic/administration.ts"
import { type ConfigEntry, configEntries } from "./cluster.ts"
import { type ConfigChanges, configDrafts } from "./topic-configs.ts"

/** A node by its id, or all nodes together. */
export type NodeOrAll = number | "all"
export type NodeConfigError = CallError | InvalidArgument | NotAuthorized | NodeRefused

const nodeResource = 4
const nameOf = (node: NodeOrAll): string => (node === "all" ? "" : String(node))
const described = (node: NodeOrAll): string => (node === "all" ? "all nodes" : `node ${node}`)

const expectNode = (client: Client, id: number): Effect.Effect<void, CallError | NodeRefused> =>
  Effect.gen(function* () {
    const isKnown = () => client.metadata.view().nodes.has(id)
    if (!isKnown()) yield* client.metadata.refresh([])
    if (!isKnown())
      return yield* new NodeRefused({ node: described(id), error: "BROKER_ID_NOT_REGISTERED", reason: "the cluster has no such node at present." })
  })

/**
 * Returns the settings of a node, by name, from that node; for "all" those that were changed for all nodes at run time.
 */
export const nodeConfigs = (client: Client, node: NodeOrAll): Effect.Effect<ReadonlyArray<ConfigEntry>, NodeConfigError> =>
  client.persistently(
    Effect.gen(function* () {
      if (node !== "all") yield* expectNode(client, node)
      const request = { resources: [{ resourceType: nodeResource, resourceName: nameOf(node), configurationKeys: null }], includeDocumentation: true }
      const response = yield* node === "all" ? client.callAny(DescribeConfigs, request) : client.callNode(node, DescribeConfigs, request)
      const result = response.results[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "INVALID_REQUEST") return yield* new NodeRefused({ node: described(node), error, reason: result?.errorMessage ?? error })
      if (error !== "NONE" || result === undefined) return yield* failure(error, `The settings of ${described(node)}`, result?.errorMessage ?? null)
      return configEntries(result.configs, node === "all" ? "cluster" : "node")
    })
  )

/**
 * Changes settings of a node, or of all nodes, at run time, all of them or none. NodeRefused names the setting and the
 * values that it accepts.
 */
export const configureNode = (client: Client, node: NodeOrAll, changes: ConfigChanges): Effect.Effect<void, NodeConfigError> =>
  Effect.suspend(() => {
    const tags = commandId(client)
    const request = { resources: [{ resourceType: nodeResource, resourceName: nameOf(node), configs: configDrafts(changes) }], validateOnly: false }
    const attempt = Effect.gen(function* () {
      const result = (yield* client.callController(IncrementalAlterConfigs, request, { tags })).responses[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "INVALID_CONFIG" || error === "INVALID_REQUEST")
        return yield* new NodeRefused({ node: described(node), error, reason: result?.errorMessage ?? error })
      if (error !== "NONE") return yield* failure(error, `The settings of ${described(node)}`, result?.errorMessage ?? null)
    })
    return client.persistently(attempt)
  })
