import { dynamic, unbounded, withoutDefault } from "../setting.ts"
import { bools, doubles, family, hidden, ints, longs, refusing, texts } from "./family.ts"

/** Tiered storage. */
export const tiers = family("Configures tiered storage. It has no effect here: tiered storage is not built (docs/skipped.md).", {
  "follower.fetch.last.tiered.offset.enable": dynamic(bools(false)),
  "log.remote.copy.lag.bytes": dynamic(longs(-1, -1)),
  "log.remote.copy.lag.ms": dynamic(longs(0, -1)),
  "remote.fetch.max.wait.ms": dynamic(ints(500, 1)),
  "remote.list.offsets.request.timeout.ms": dynamic(longs(30_000, 1)),
  "remote.log.index.file.cache.total.size.bytes": dynamic(longs(1_073_741_824, 1)),
  "remote.log.index.file.cache.ttl.ms": hidden(longs(900_000, -1)),
  "remote.log.manager.copier.thread.pool.size": dynamic(ints(10, 1)),
  "remote.log.manager.copy.max.bytes.per.second": dynamic(longs(unbounded, 1)),
  "remote.log.manager.copy.quota.window.num": ints(11, 1),
  "remote.log.manager.copy.quota.window.size.seconds": ints(1, 1),
  "remote.log.manager.expiration.thread.pool.size": dynamic(ints(10, 1)),
  "remote.log.manager.fetch.max.bytes.per.second": dynamic(longs(unbounded, 1)),
  "remote.log.manager.fetch.quota.window.num": ints(11, 1),
  "remote.log.manager.fetch.quota.window.size.seconds": ints(1, 1),
  "remote.log.manager.follower.thread.pool.size": dynamic(ints(2, 1)),
  "remote.log.manager.task.interval.ms": longs(30_000, 1),
  "remote.log.manager.task.retry.backoff.max.ms": hidden(longs(30_000, 1)),
  "remote.log.manager.task.retry.backoff.ms": hidden(longs(500, 1)),
  "remote.log.manager.task.retry.jitter": hidden(doubles(0.2, 0, 0.5)),
  "remote.log.manager.thread.pool.size": ints(2, 1),
  "remote.log.metadata.custom.metadata.max.bytes": ints(128, 0),
  "remote.log.metadata.manager.class.name": texts("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"),
  "remote.log.metadata.manager.class.path": withoutDefault(texts("")),
  "remote.log.metadata.manager.impl.prefix": texts("rlmm.config."),
  "remote.log.metadata.manager.listener.name": withoutDefault(texts("")),
  "remote.log.reader.max.pending.tasks": ints(100, 1),
  "remote.log.reader.threads": dynamic(ints(10, 1)),
  "remote.log.storage.manager.class.name": withoutDefault(texts("")),
  "remote.log.storage.manager.class.path": withoutDefault(texts("")),
  "remote.log.storage.manager.impl.prefix": texts("rsm.config."),
  "remote.log.storage.system.enable": refusing(bools(false), "There is no tiered storage (docs/skipped.md).")
})
