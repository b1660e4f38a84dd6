import type { NodeConfig } from "../../domain/kernel/config.ts"

const timeoutMsMin = 500
const timeoutMsMax = 10_000

/**
 * How long a broker waits for a response that another node sends at once, ms: half of `broker.session.timeout.ms`. A connection on which nothing arrives any more (a machine or a firewall lost
 * it) is replaced before the leader fences the broker.
 */
export const responseTimeoutMs = (config: Pick<NodeConfig, "broker.session.timeout.ms">): number =>
  Math.min(timeoutMsMax, Math.max(timeoutMsMin, Math.floor(config["broker.session.timeout.ms"] / 2)))
