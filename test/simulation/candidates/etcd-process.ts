import { type Clock, Effect, Fiber, Stream } from "effect"
import type { EtcdClient, EtcdFault } from "../../../adapters/journal/etcd/client.ts"

/** The process that an etcd client is part of. */
interface EtcdProcess {
  /** The time of etcd, which passes also while the process is stopped. */
  readonly clock: Clock.Clock
  /** Whether the process was killed: what it still tries reaches nothing. */
  readonly isOver: () => boolean
  /** Waits until the process runs: it may be stopped. */
  readonly running: Effect.Effect<void>
  /** Told of each lease that was granted or renewed, with the time at which the process asked for it. */
  readonly leased: (lease: string, sentAtMs: number) => void
}

/**
 * The etcd client of a process that can be killed or stopped at any time. A request that it has sent is done all the same; the answer comes when the
 * process continues, and never to one that is gone.
 */
export const etcdClientOf = (real: EtcdClient, { clock, isOver, leased, running }: EtcdProcess): EtcdClient => {
  const call = <A>(work: Effect.Effect<A, EtcdFault>): Effect.Effect<A, EtcdFault> =>
    Effect.suspend(() =>
      isOver()
        ? Effect.never
        : Effect.flatMap(Effect.forkDaemon(Effect.withClock(Effect.interruptible(work), clock)), (sent) =>
            Effect.flatMap(Fiber.await(sent), (exit) =>
              Effect.zipRight(
                running,
                Effect.suspend(() => (isOver() ? Effect.never : exit))
              )
            )
          )
    )
  const now = () => clock.unsafeCurrentTimeMillis()
  return {
    where: real.where,
    txn: (txn) => call(real.txn(txn)),
    range: (request) => call(real.range(request)),
    grant: (seconds) =>
      Effect.suspend(() => {
        const sentAtMs = now()
        return Effect.tap(call(real.grant(seconds)), (lease) => Effect.sync(() => leased(lease, sentAtMs)))
      }),
    renew: (lease) =>
      Effect.suspend(() => {
        const sentAtMs = now()
        return Effect.tap(call(real.renew(lease)), (isThere) => Effect.sync(() => isThere && leased(lease, sentAtMs)))
      }),
    revoke: (lease) => call(real.revoke(lease)),
    watch: (range) => Stream.mapEffect(real.watch(range), () => running),
    status: call(real.status)
  }
}
