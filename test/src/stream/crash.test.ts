import { expect, test } from "bun:test"
import { Effect, Either, Layer, Logger, LogLevel, Schema, Stream } from "effect"
import fc from "fast-check"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { layer as memoryStore } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import type { Command } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { toSnapshot } from "../../../domain/cluster/snapshot.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { type ClusterWriter, clusterAggregate, clusterStream } from "../../../src/leader/journal/cluster-aggregate.ts"
import { Journal } from "../../../src/ports/journal.ts"
import { entriesTo } from "../../../src/stream/replay.ts"
import { type Applied, openWriter } from "../../../src/stream/writer.ts"
import { addTopic, heartbeat, register, topicId } from "../../domain/cluster/support.ts"

/** One life of a leader on the disk, cut off when its scope closes. */
const life = <A, E>(disk: MemoryDisk, snapshotIntervalEvents: number, live: (writer: ClusterWriter) => Effect.Effect<A, E, Journal>) =>
  Effect.flatMap(openWriter(clusterStream, clusterAggregate, { candidate: { nodeId: 0 }, snapshotIntervalEvents }), live).pipe(
    Effect.scoped,
    Effect.provide(journalOverLog.pipe(Layer.provideMerge(memoryStore(disk)), Layer.provideMerge(checksum))),
    Logger.withMinimumLogLevel(LogLevel.None)
  )
interface Acked {
  readonly commandId: string
  readonly command: Command
  readonly applied: Applied<Event>
}

test("M1, M2, M4: over crashes at any time, every answered command is in the journal once, and gets the same answer again", async () => {
  const lives = fc.array(fc.record({ commands: fc.integer({ min: 1, max: 12 }), interval: fc.integer({ min: 1, max: 30 }), seed: fc.nat() }), {
    minLength: 1,
    maxLength: 6
  })
  await fc.assert(
    fc.asyncProperty(lives, async (plan) => {
      const disk = new MemoryDisk()
      const acked: Array<Acked> = []
      let drawn = 0
      for (const { commands, interval, seed } of plan) {
        await Effect.runPromise(
          life(disk, interval, (writer) =>
            Effect.gen(function* () {
              for (const { commandId, command, applied } of acked)
                expect(yield* writer.submit({ commandId, command, actor: "test", cause: "test" })).toEqual(applied)
              const before = writer.end()
              yield* writer.submitAll([{ command: register(1), commandId: "r", actor: "test", cause: "test" }])
              yield* writer.submitAll([{ command: heartbeat(1)(writer.state()), commandId: "h", actor: "test", cause: "test" }])
              const asked = Array.from({ length: commands }, () => {
                const n = drawn++
                return {
                  command: addTopic(`t${n}`, { topicId: topicId(n), partitionCount: 1 + (n % 3) }),
                  commandId: `client:19:${n}/t${n}`,
                  actor: "test",
                  cause: "test"
                }
              })
              const outcomes = yield* writer.submitAll(asked)
              outcomes.forEach((outcome, n) => {
                const { command, commandId } = asked[n] as (typeof asked)[number]
                if (Either.isRight(outcome)) acked.push({ command, commandId, applied: outcome.right })
              })
              expect(writer.end()).toBeGreaterThanOrEqual(before)
            })
          )
        )
        let state = seed
        disk.crash((bound) => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
          return state % bound
        })
      }
      expect(acked.length).toBe(drawn)
      await Effect.runPromise(
        life(disk, 1000, (writer) =>
          Effect.gen(function* () {
            const journal = yield* Journal
            const events: Array<Event> = []
            const ids: Array<string> = []
            for (const entry of yield* Stream.runCollect(entriesTo(journal, clusterStream, 0, writer.end()))) {
              events.push(Schema.decodeUnknownSync(clusterAggregate.event)(JSON.parse(new TextDecoder().decode(entry.value))))
              if (entry.type === "TopicAdded") ids.push(entry.commandId)
              expect(entry.index).toBe(events.length - 1)
            }
            expect(new Set(ids).size).toBe(ids.length)
            for (const { applied } of acked) expect(events.slice(applied.index, applied.index + applied.events.length)).toEqual([...applied.events])
            expect(toSnapshot(fold(clusterAggregate.evolve, clusterAggregate.initial, events))).toEqual(toSnapshot(writer.state()))
          })
        )
      )
    }),
    { numRuns: 30 }
  )
}, 300_000)
