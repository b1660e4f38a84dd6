import { describe, expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import type { Journal } from "../../../src/ports/journal.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { createTopics, World } from "../groups/support.ts"
import { heartbeat, join } from "./support.ts"

/** A leader whose lease ends when the test says so. No timer tells it: its process was stopped. */
const leased = Effect.fnUntraced(function* (world: World) {
  const lease = { isHeld: true }
  const journal = (real: Journal["Type"]): Journal["Type"] => ({
    ...real,
    campaign: (stream, candidate) => Effect.map(real.campaign(stream, candidate), (taken) => ({ ...taken, lost: Effect.never, isHeld: () => lease.isHeld })),
    append: (...call) => real.append(...call),
    batches: (...call) => real.batches(...call)
  })
  const leader = yield* world.leader({}, { journal })
  return { leader, lease }
})

describe("given a leader whose lease is over", () => {
  test("when a broker beats or a client asks, then it gets no answer, and its connection is closed", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { leader, lease } = yield* leased(world)
        const [broker, client] = [yield* world.link(leader.address, "broker-1"), yield* world.link(leader.address)]
        const epoch = yield* join(broker, 1)
        expect(yield* heartbeat(broker, 1, epoch)).toMatchObject({ errorCode: 0 })
        lease.isHeld = false
        expect((yield* Effect.flip(heartbeat(broker, 1, epoch)))._tag).toBe("ConnectionLost")
        expect((yield* Effect.flip(client.call(Metadata, { topics: null })))._tag).toBe("ConnectionLost")
      })
    )
  })
  test("when it ends while a Fetch of the journal waits and a topic is made, then neither is answered", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { leader, lease } = yield* leased(world)
        const [broker, client] = [yield* world.link(leader.address, "broker-1"), yield* world.link(leader.address)]
        yield* join(broker, 1)
        const fetchOffset = BigInt(leader.writer.end())
        const topics = [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }]
        const waiting = yield* Effect.fork(Effect.flip(broker.call(Fetch, { maxWaitMs: 5000, minBytes: 1, maxBytes: 1_000_000, topics })))
        const creating = yield* Effect.fork(Effect.flip(createTopics(client, ["orders", 1])))
        yield* Effect.sync(() => leader.writer.onChange(() => (lease.isHeld = false)))
        expect((yield* Fiber.join(waiting))._tag).toBe("ConnectionLost")
        expect((yield* Fiber.join(creating))._tag).toBe("ConnectionLost")
      })
    )
  })
})
