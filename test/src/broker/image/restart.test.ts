import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import { topicByName } from "../../../../domain/cluster/state.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { DeleteTopics } from "../../../../src/protocol/message/20-delete-topics.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { createTopic, newDisk, running, worlds } from "../cluster-support.ts"
import { batch, until } from "../support.ts"

const [, make] = worlds[1] as (typeof worlds)[number]
const { brokerOn, leaderOn, linkTo } = make()

const send = (link: Link, topic: string, ...values: ReadonlyArray<string>) =>
  Effect.repeat(
    link
      .call(Produce, { acks: -1, timeoutMs: 5000, topicData: [{ name: topic, partitionData: [{ index: 0, records: batch(values) }] }] }, { version: 12 })
      .pipe(
        Effect.map(({ responses }) => responses[0]?.partitionResponses[0]),
        Effect.tap((answer) => (answer?.errorCode === 0 ? Effect.void : Effect.sleep(5)))
      ),
    { until: (answer) => answer?.errorCode === 0 }
  )
const offsetsIn = (link: Link, topic: string) =>
  link
    .call(
      Fetch,
      { maxWaitMs: 0, minBytes: 1, topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }] }] },
      { version: 12 }
    )
    .pipe(
      Effect.map(({ responses }) =>
        Either.getOrThrow(readableBatches(responses[0]?.partitions[0]?.records ?? new Uint8Array(0))).map(({ baseOffset }) => baseOffset)
      )
    )

test(
  "given a broker that stopped with a checkpoint, when topics were created and deleted meanwhile, then it serves the partitions of the checkpoint and the events after it",
  () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const disk = newDisk()
        const first = yield* brokerOn(disk, 1, leader.it.address)
        yield* first.it.ready
        const client = yield* linkTo(first.it.address)
        for (const topic of ["orders", "gone"]) {
          expect(yield* createTopic(client, topic)).toBe(0)
          yield* send(client, topic, "a", "b")
        }
        const gone = topicByName(leader.it.cluster(), "gone")?.topicId
        yield* leader.it.writer.submitAll(
          Array.from({ length: 1100 }, (_, n) => ({
            command: Command.ChangeTopicConfigs({
              topic: "orders",
              replace: false,
              changes: [{ name: "retention.ms", operation: "set", value: String(3_600_000 + n) }],
              validateOnly: false
            }),
            commandId: `test:${n}`,
            actor: "test",
            cause: "test"
          }))
        )
        yield* until(() => first.it.cluster().index === leader.it.writer.end())
        yield* first.stop
        expect(disk.contents("/data/checkpoints/cluster-image.0").length).toBeGreaterThan(100)
        expect(disk.contents(`/data/${gone}-0/00000000000000000000.log`).length).toBeGreaterThan(0)

        const away = yield* linkTo(leader.it.address)
        yield* away.call(DeleteTopics, { topics: [{ name: "gone", topicId: "AAAAAAAAAAAAAAAAAAAAAA" }], timeoutMs: 5000 })
        const second = yield* brokerOn(disk, 1, leader.it.address)
        yield* second.it.ready
        const again = yield* linkTo(second.it.address)
        yield* send(again, "orders", "c")
        expect(yield* offsetsIn(again, "orders")).toEqual([0, 2])
        expect(topicByName(second.it.cluster(), "orders")?.configs).toEqual({ "retention.ms": "3601099" })
        expect(yield* createTopic(again, "later")).toBe(0)
        yield* send(again, "later", "d")
        expect(() => disk.contents(`/data/${gone}-0/00000000000000000000.log`)).toThrow()
      })
    ),
  300_000
)
