import { join } from "node:path"
import { Context, Effect, Layer, Stream } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { type Entry, Journal } from "../../../src/ports/journal.ts"
import { entriesTo } from "../../../src/stream/replay.ts"
import { temporaryDirectory } from "../process.ts"
import { atMost, type OwnRow } from "../row.ts"
import { createTopic, type TopicSpec } from "../topic.ts"

const stream = "__cluster_metadata"
const batchEvents = 1000
const topic: TopicSpec = { name: "replayed", partitions: 1 }
const utf8 = new TextEncoder()
const text = new TextDecoder()

/** Changes of a topic's settings, as an operator makes them, appended to the journal of a cluster that is not running. */
const appendEvents = (directory: string, count: number) =>
  Effect.gen(function* () {
    const layer = Layer.provide(journalOverLog, Layer.merge(Layer.provide(fileStore({ directory }), checksum), checksum))
    const journal = Context.get(yield* Layer.build(layer), Journal)
    const { end, epoch, start } = yield* journal.campaign(stream, { nodeId: 0 })
    const added = yield* Stream.runCollect(Stream.filter(entriesTo(journal, stream, start, end), ({ type }) => type === "TopicAdded"))
    const topicIds = Array.from(added, ({ value }) => (JSON.parse(text.decode(value)) as { readonly topicId: string }).topicId)
    const entry = (nth: number): Entry => {
      const event = { _tag: "TopicConfigsChanged", v: 1, topicId: topicIds[0], configs: { "retention.ms": String(3_600_000 + nth) } }
      return { commandId: `bench-${nth}`, actor: "bench", cause: "IncrementalAlterConfigs", type: event._tag, value: utf8.encode(JSON.stringify(event)) }
    }
    for (let at = 0; at < count; at += batchEvents) {
      yield* journal.append(
        stream,
        epoch,
        end + at,
        Array.from({ length: Math.min(batchEvents, count - at) }, (_, nth) => entry(at + nth))
      )
    }
  }).pipe(Effect.scoped)

/** A leader writes its snapshot when it decides for the first time after so many events, so the first start after they were appended does without. */
export const replayRow: OwnRow = {
  kind: "own",
  id: "15",
  name: "replay",
  figures: [
    { id: "15c", figure: "what 10,000 metadata events in the journal add to a start", unit: "ms", more: false, stretch: atMost(100) },
    {
      id: "15a",
      figure: "restart with 1,000,000 metadata events in the journal: the leader reads its snapshot, the broker its checkpoint",
      unit: "s",
      more: false,
      must: atMost(5)
    },
    { id: "15b", figure: "the same where the leader has no snapshot and reads all of them too", unit: "s", more: false }
  ],
  run: async ({ startOn }, { rounds, tiny }, say) => {
    for (let round = 0; round < Math.min(3, rounds); round++) {
      const data = temporaryDirectory()
      const fresh = await startOn(data.path)
      await createTopic(fresh.port, topic)
      await fresh.stop()
      const startAfter = async (events: number): Promise<number> => {
        await Effect.runPromise(appendEvents(join(data.path, "leader"), events))
        const broker = await startOn(data.path, topic)
        await broker.stop()
        return broker.startSeconds
      }
      const none = await startAfter(0)
      const values = { "15c": ((await startAfter(tiny ? 100 : 10_000)) - none) * 1000 }
      // Once is enough: it takes long, and is far from its bound or not.
      if (round > 0) say({ side: "ours", values })
      else {
        const whole = await startAfter(tiny ? 2000 : 990_000)
        say({ side: "ours", values: { ...values, "15b": whole, "15a": await startAfter(0) } })
      }
      data.remove()
    }
  }
}
