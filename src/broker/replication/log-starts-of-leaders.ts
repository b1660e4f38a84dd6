import { Effect, Queue } from "effect"
import { HostedPartitions } from "../partition/hosted/hosted-partitions.ts"
import type { Replica } from "../partition/replica/replica.ts"

/** The shortest time between two documents of starts that followers write, ms: retention raises those of many logs at about the same time. */
const pauseMs = 100

/** Whether a follower has records that its leader has deleted. One that ends before the start of its leader's log restarts there. */
export const isStartBehind = ({ end, following, leaderStart, start }: Pick<Replica, "end" | "following" | "leaderStart" | "start">): boolean =>
  following !== undefined && leaderStart > start() && leaderStart <= end()

/** Raises the starts of followers to those of their leaders' logs, all of them with one document, as long as it runs. */
export const followStarts: Effect.Effect<never, never, HostedPartitions> = Effect.gen(function* () {
  const { raise, signals, table } = yield* HostedPartitions
  const raiseAll = Effect.suspend(() => {
    const behind = [...table.replicas()].filter(isStartBehind).map((replica) => ({ replica, offset: replica.leaderStart }))
    return behind.length === 0 ? Effect.void : Effect.zipRight(raise(behind), Effect.sleep(pauseMs))
  })
  return yield* Effect.forever(Effect.zipRight(Queue.take(signals.starts), raiseAll))
})
