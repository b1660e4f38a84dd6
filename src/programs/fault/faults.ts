import { type KafkaError, kafkaErrors } from "../../../domain/kernel/error-code.ts"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import { invalid } from "../../client/argument/guard.ts"
import { apis } from "../../protocol/message/registry.ts"
import type { AnyApi } from "../../protocol/type/wire.ts"
import { canAnswer } from "./error-answer.ts"

/**
 * What happens to a request. "request": before the node handles it; "response": the node handles it, and its response
 * is lost.
 */
export type FaultAction =
  /** No response comes, and none to the requests that follow on the connection, until the client closes it. */
  | { readonly drop: "request" | "response" }
  /** The node gets the request, and those that follow on its connection, so much later. Milliseconds. */
  | { readonly delayMs: number }
  /** The node does not handle the request. The error is that of every partition, topic or group of the request, else of the whole response. */
  | { readonly errorCode: KafkaError }
  /** The connection breaks. */
  | { readonly disconnect: "request" | "response" }

/** Which requests of clients fail, and how. Requests between the nodes are never meant. */
export interface FaultOptions {
  /** Kafka's name of the API, "Produce", or its key, 0. */
  readonly api: string | number
  /** The address of one of the cluster's brokers. Default: all nodes. */
  readonly node?: string
  /** Requests that fail; default: all until `remove`. */
  readonly count?: number
  readonly action: FaultAction
}

/** A fault of a test cluster, until it is removed. */
export interface ClusterFault extends Disposable {
  /** Requests that failed so far. */
  readonly struck: number
  /** No further request fails. Calls after the first do nothing. */
  readonly remove: () => void
}

const call = "cluster.fault"
const wrong = (field: string, given: unknown, allowed: string): never => {
  throw invalid(call, { field, given, allowed })
}

const apiOf = (api: unknown): AnyApi => {
  const name = typeof api === "string" ? api : ""
  return (
    apis.find((each) => each.key === api || each.name === api) ??
    wrong(
      "options.api",
      api,
      `a name of Kafka's APIs as "Produce", or a key.${didYouMean(
        name,
        apis.map((each) => each.name)
      )}`
    )
  )
}
const fieldOf = (options: Readonly<Record<string, unknown>>, field: string, known: ReadonlyArray<string>): void => {
  if (!known.includes(field)) wrong(`options.${field}`, options[field], `the fields ${known.join(", ")}`)
}
const checkAction = (action: Readonly<Record<string, unknown>>, api: AnyApi): void => {
  const [kind = "", ...more] = Object.keys(action)
  const value = action[kind]
  if (more.length > 0) wrong("options.action", action, "one of drop, delayMs, errorCode, disconnect")
  switch (kind) {
    case "drop":
    case "disconnect":
      if (value !== "request" && value !== "response") wrong(`options.action.${kind}`, value, '"request" or "response"')
      return
    case "delayMs":
      if (typeof value !== "number" || !(value >= 0 && value <= 86_400_000)) wrong("options.action.delayMs", value, "milliseconds from 0 to 86400000")
      return
    case "errorCode":
      if (!kafkaErrors.includes(value as KafkaError) || value === "NONE")
        wrong("options.action.errorCode", value, `a name of Kafka's errors.${didYouMean(String(value), kafkaErrors)}`)
      if (!canAnswer(api)) wrong("options.action.errorCode", value, `no error: responses of ${api.name} carry none; drop or disconnect it`)
      return
    default:
      wrong("options.action", action, "one of drop, delayMs, errorCode, disconnect")
  }
}

interface Installed {
  readonly api: AnyApi
  readonly port: number | undefined
  left: number
  struck: number
  readonly action: FaultAction
}

/** The faults of one cluster. */
export class Faults {
  private readonly installed = new Set<Installed>()

  /** No fault is installed: requests pass without a look at them. */
  get isEmpty(): boolean {
    return this.installed.size === 0
  }
  /** `brokers`: the addresses that `node` may name. Throws InvalidArgument. */
  install(options: FaultOptions, brokers: ReadonlyArray<string>): ClusterFault {
    if (options === null || typeof options !== "object") return wrong("options", options, "an object with api and action")
    for (const field of Object.keys(options)) fieldOf({ ...options }, field, ["api", "node", "count", "action"])
    const { action, count = Number.POSITIVE_INFINITY, node } = options
    const api = apiOf(options.api)
    if (node !== undefined && !brokers.includes(node)) wrong("options.node", node, `one of ${brokers.join(", ")}`)
    if (count !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(count) && count > 0)) wrong("options.count", count, "a whole number from 1 on")
    if (action === null || typeof action !== "object") wrong("options.action", action, "one of drop, delayMs, errorCode, disconnect")
    checkAction({ ...action }, api)
    const fault: Installed = { api, port: node === undefined ? undefined : Number(node.split(":").at(-1)), left: count, struck: 0, action: { ...action } }
    this.installed.add(fault)
    const remove = () => void this.installed.delete(fault)
    return {
      get struck() {
        return fault.struck
      },
      remove,
      [Symbol.dispose]: remove
    }
  }
  /** The first fault, in the order in which they were installed, that means a request. */
  find(apiKey: number, port: number): Installed | undefined {
    for (const fault of this.installed) if (fault.api.key === apiKey && (fault.port === undefined || fault.port === port)) return fault
    return undefined
  }
  /** A request fails by it. */
  strike(fault: Installed): void {
    fault.struck++
    if (--fault.left <= 0) this.installed.delete(fault)
  }
}
