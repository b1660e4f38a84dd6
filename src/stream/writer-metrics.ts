import { Metric } from "effect"

const appended = Metric.counter("franz_journal_events_total", { description: "Events that were journalled, by stream.", incremental: true })
const refused = Metric.counter("franz_journal_refused_total", {
  description: "Appends to a journal that its disk refused, since it is full or read-only, by stream.",
  incremental: true
})

/** The metrics of the writer of a stream. Effect's metrics suffice: an append waits for the disk, so that their 0.2 µs do not count. */
export const writerMetrics = (stream: string) => ({
  events: Metric.tagged(appended, "stream", stream),
  refused: Metric.tagged(refused, "stream", stream)
})
