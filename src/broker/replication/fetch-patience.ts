import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { responseTimeoutMs } from "../response-timeout.ts"

type PatienceSettings = Pick<NodeConfig, "replica.fetch.wait.max.ms" | "replica.socket.timeout.ms" | "broker.session.timeout.ms">

/**
 * How long a follower waits for the response to a fetch before it connects again. A connection on which nothing arrives any more stops acks=all, since its follower is in sync until
 * `replica.lag.time.max.ms` ends: so the follower waits for what the leader is asked to wait, and for the time of a response. A leader that is slow is given twice the time of its last
 * response, up to `replica.socket.timeout.ms`.
 */
export class FetchPatience {
  private readonly msMin: number
  private readonly msMax: number
  private ms: number

  constructor(config: PatienceSettings) {
    this.msMax = Math.max(1, config["replica.socket.timeout.ms"])
    this.msMin = Math.min(this.msMax, Math.max(0, config["replica.fetch.wait.max.ms"]) + responseTimeoutMs(config))
    this.ms = this.msMin
  }

  get timeoutMs(): number {
    return this.ms
  }
  /** The leader responded after so many ms. */
  took(ms: number): void {
    this.ms = Math.min(this.msMax, Math.max(this.msMin, 2 * ms))
  }
  /** The leader did not respond in time. */
  overdue(): void {
    this.ms = Math.min(this.msMax, 2 * this.ms)
  }
}
