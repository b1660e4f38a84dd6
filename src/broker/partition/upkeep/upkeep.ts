import { Effect, type Scope } from "effect"
import { Compression } from "../../../ports/compression.ts"
import type { Watch } from "../../../stream/watch.ts"
import { BrokerContext } from "../../broker-context.ts"
import { type HostedLogs, reopenMs } from "../hosted/hosted-logs.ts"
import { Cleaner } from "./cleaner.ts"
import { Flushing, flushCheckMs } from "./flushing.ts"
import { Trimming } from "./trimming.ts"

/** How often silent producers are looked for, ms: Kafka's producer.id.expiration.check.interval.ms. */
const expiryCheckMs = 600_000
/** When retention runs for the first time, ms: a broker that starts has other work, as in Kafka. */
const firstTrimMs = 30_000

/** Runs `task` now and then every `ms`. A step of `Schedule.spaced` would cost five times the sleep. */
const repeated = (ms: number, task: Effect.Effect<void>): Effect.Effect<never> => Effect.forever(Effect.zipRight(task, Effect.sleep(ms)))
/** The same until the scope closes. */
const every = (ms: number, task: Effect.Effect<void>): Effect.Effect<void, never, Scope.Scope> => Effect.asVoid(Effect.forkScoped(repeated(ms, task)))

/** Starts the background work on the logs of this broker. It ends with the scope. `flushes` is woken when replicas or settings change. */
export const runUpkeep = (logs: HostedLogs, flushes: Watch): Effect.Effect<Trimming, never, BrokerContext | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const { config, warn } = yield* BrokerContext
    const clock = yield* Effect.clock
    const replicas = () => logs.table.replicas()
    const expire = Effect.sync(() => {
      const now = clock.unsafeCurrentTimeMillis()
      for (const replica of replicas()) replica.expireProducers(now, config()["producer.id.expiration.ms"])
    })
    yield* every(expiryCheckMs, expire)
    yield* every(
      reopenMs,
      Effect.sync(() => logs.retry())
    )
    yield* Effect.forkScoped(logs.unwritable.watch(() => logs.retry()))
    const trimming = new Trimming({ starts: logs.starts, replicas, clock, warn, scope: yield* Effect.scope })
    const trimMs = config()["log.retention.check.interval.ms"]
    yield* Effect.forkScoped(Effect.delay(repeated(trimMs, trimming.look), Math.min(trimMs, firstTrimMs)))
    const flushing = new Flushing({ policy: config()["log.flush.policy"], replicas, clock })
    yield* Effect.forkScoped(flushes.repeat(flushCheckMs, flushing.look))
    yield* every(
      Math.max(1, config()["replica.high.watermark.checkpoint.interval.ms"]),
      Effect.suspend(() => logs.highWatermarks.save(replicas()))
    )
    const cleaner = new Cleaner({ config, replicas, compression: yield* Compression, clock, warn })
    if (config()["log.cleaner.enable"]) yield* Effect.forkScoped(cleaner.run)
    return trimming
  })
