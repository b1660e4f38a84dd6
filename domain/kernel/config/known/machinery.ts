import { dynamic, unbounded } from "../setting.ts"
import { family, hidden, ints, lists, longs, texts } from "./family.ts"

/** Kafka's threads, sockets and files. */
export const machinery = family("Configures Kafka's threads, sockets and files. It has no effect here: a node does not have Kafka's threads and queues.", {
  "background.threads": dynamic(ints(10, 1)),
  "controller.socket.timeout.ms": ints(30_000),
  "delete.records.purgatory.purge.interval.requests": ints(1),
  "fetch.purgatory.purge.interval.requests": ints(1000),
  "log.dir.failure.timeout.ms": longs(30_000, 1),
  "log.flush.offset.checkpoint.interval.ms": ints(60_000, 0),
  "log.flush.scheduler.interval.ms": longs(unbounded),
  "log.flush.start.offset.checkpoint.interval.ms": ints(60_000, 0),
  "log.initial.task.delay.ms": hidden(longs(30_000, 0)),
  "max.connection.creation.rate": dynamic(ints(2_147_483_647, 0)),
  "max.request.partition.size.limit": ints(2000, 1),
  "num.io.threads": dynamic(ints(8, 1)),
  "num.network.threads": dynamic(ints(3, 1)),
  "num.recovery.threads.per.data.dir": dynamic(ints(2, 1)),
  "producer.purgatory.purge.interval.requests": ints(1000),
  "queued.max.requests": ints(500, 1),
  "quota.window.num": ints(11, 1),
  "quota.window.size.seconds": ints(1, 1),
  "request.timeout.ms": ints(30_000),
  "socket.connection.setup.timeout.max.ms": longs(30_000),
  "socket.connection.setup.timeout.ms": longs(10_000),
  "socket.listen.backlog.size": ints(50, 1),
  "socket.receive.buffer.bytes": ints(102_400),
  "socket.send.buffer.bytes": ints(102_400)
})

/** Kafka's metrics. */
export const metrics = family("Configures Kafka's metrics and their reporters. It has no effect here: there are no reporters.", {
  "kafka.metrics.polling.interval.secs": ints(10, 1),
  "kafka.metrics.reporters": lists(""),
  "metric.reporters": dynamic(lists("org.apache.kafka.common.metrics.JmxReporter")),
  "metrics.num.samples": ints(2, 1),
  "metrics.recording.level": texts("INFO"),
  "metrics.sample.window.ms": longs(30_000, 1),
  "telemetry.max.bytes": ints(1_048_576, 1)
})
