import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { counterSample, type MetricSample } from "../../ports/metrics.ts"
import { apiByKey } from "../../protocol/message/registry.ts"
import type { AnyApi } from "../../protocol/type/wire.ts"
import { responseErrors } from "./response-errors.ts"

/** API keys are below this. */
const apiKeysMax = 128
/** Error codes are from -1 to below this, so that a key and a code make one number. */
const errorCodesMax = 1024

const nameOf = (key: number): string => apiByKey(key)?.name ?? String(key)

/**
 * What a server has done since it started. Plain numbers, since they change with every request: a counter of Effect
 * costs 0.2 µs, an element of an array 1 ns.
 */
export class RequestCounts {
  /** Bytes of requests that came, and of responses that were written. */
  bytesIn = 0
  bytesOut = 0
  connections = 0
  /** Connections that the server closed, by the reason. The reasons are a few fixed words. */
  private readonly refused = new Map<string, number>()
  private readonly requests = new Float64Array(apiKeysMax)
  private readonly errors = new Map<number, number>()
  private key = 0

  /**
   * A request was answered, with `response` before it is encoded; undefined where the response had no errors, or was
   * none.
   */
  answered(api: AnyApi, response: unknown): void {
    this.requests[api.key] = (this.requests[api.key] as number) + 1
    if (response === undefined) return
    this.key = api.key
    responseErrors(api)(response, this.found)
  }
  /** A request was answered with these error codes that are not 0. */
  answeredWith(api: AnyApi, codes: ReadonlyArray<number>): void {
    this.requests[api.key] = (this.requests[api.key] as number) + 1
    this.key = api.key
    for (const code of codes) this.found(code)
  }
  /** These chunks were written to a connection. */
  sent(chunks: ReadonlyArray<Uint8Array>): void {
    for (let at = 0; at < chunks.length; at++) this.bytesOut += (chunks[at] as Uint8Array).length
  }
  closed(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }

  *samples(): Generator<MetricSample> {
    yield counterSample("franz_network_received_bytes_total", "Bytes that came over connections.", this.bytesIn)
    yield counterSample("franz_network_sent_bytes_total", "Bytes of responses that were written to connections.", this.bytesOut)
    yield counterSample("franz_connections_accepted_total", "Connections that were accepted.", this.connections)
    for (const [reason, count] of this.refused)
      yield counterSample("franz_connections_refused_total", "Connections that the node closed, by the reason.", count, { reason })
    for (const [key, count] of this.requests.entries())
      if (count > 0) yield counterSample("franz_requests_total", "Requests that were answered, by API.", count, { api: nameOf(key) })
    for (const [at, count] of this.errors) {
      const [key, code] = [Math.floor(at / errorCodesMax), (at % errorCodesMax) - 1]
      yield counterSample("franz_request_errors_total", "Error codes in responses, by API; one response may have many.", count, {
        api: nameOf(key),
        error: kafkaError(code)
      })
    }
  }

  private readonly found = (code: number): void => {
    const at = this.key * errorCodesMax + code + 1
    this.errors.set(at, (this.errors.get(at) ?? 0) + 1)
  }
}
