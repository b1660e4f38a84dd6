import { expect } from "bun:test"
import { Data, Deferred, Effect, Fiber, Stream } from "effect"
import { adminOf, type Case, failureOf, memberOf, numbered, polled, producerOf, type Site, textsOf, topicOf, until } from "./site.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly text: string }> {}

/** A topic with messages. */
const filled = (site: Site, partitions: number, count: number) =>
  Effect.gen(function* () {
    const topic = yield* topicOf(site, partitions)
    const producer = yield* producerOf(site)
    yield* producer.sendBatch(
      topic,
      numbered(count).map((value, at) => ({ value, partition: at % partitions }))
    )
    return topic
  })
/** The offsets that the group of the case has committed, and their sum. */
const committed = (site: Site) =>
  Effect.gen(function* () {
    const admin = yield* adminOf(site)
    return (yield* admin.groupOffsets(site.named("group"))).reduce((sum, { offset }) => sum + offset, 0)
  })

export const grouped: ReadonlyArray<Case> = [
  {
    name: "two members share the partitions, each message comes once, and the next member begins behind the commits",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 4)
        const [one, two] = [yield* memberOf(site, topic), yield* memberOf(site, topic)]
        const positions = [0, 0]
        const polling = yield* Effect.forkScoped(
          Effect.forever(
            Effect.gen(function* () {
              for (const [at, member] of [one, two].entries()) {
                yield* member.poll({ timeoutMs: 50 })
                positions[at] = (yield* member.positions).length
              }
            })
          )
        )
        yield* until(() => positions.join() === "2,2")
        yield* Fiber.interrupt(polling)
        const producer = yield* producerOf(site)
        yield* producer.sendBatch(
          topic,
          numbered(100).map((value, at) => ({ value, partition: at % 4 }))
        )
        const got = [...(yield* polled(one, 50)), ...(yield* polled(two, 50))]
        expect([...textsOf(got)].sort()).toEqual([...numbered(100)].sort())
        for (const member of [one, two]) yield* Effect.andThen(member.commit, member.leaveConsumerGroup)
        yield* producer.sendMessage(topic, "later")
        expect(textsOf(yield* polled(yield* memberOf(site, topic), 1))).toEqual(["later"])
      })
  },
  {
    name: "with cooperative-sticky a member keeps what does not move",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 4, 8)
        const assignors = ["cooperative-sticky"] as const
        const one = yield* memberOf(site, topic, { assignors })
        const revoked: Array<number> = []
        yield* Effect.forkScoped(
          Stream.runForEach(one.events, (event) => Effect.sync(() => event._tag === "PartitionsRevoked" && revoked.push(event.partitions.length)))
        )
        yield* polled(one, 8)
        const two = yield* memberOf(site, topic, { assignors })
        let shared = 0
        const both = Effect.gen(function* () {
          yield* one.poll({ timeoutMs: 50 })
          yield* two.poll({ timeoutMs: 50 })
          shared = Math.min((yield* one.positions).length, (yield* two.positions).length)
        })
        while (shared < 2) yield* both
        yield* until(() => revoked.length > 0)
        expect(revoked).toEqual([2])
      })
  },
  {
    name: "a second member of the same instanceId fences the first",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 1, 1)
        const one = yield* memberOf(site, topic, { instanceId: "static" })
        yield* polled(one, 1)
        const two = yield* memberOf(site, topic, { instanceId: "static" })
        yield* Effect.forkScoped(Effect.forever(two.poll()))
        const polling = Effect.forever(one.poll({ timeoutMs: 100 }))
        expect(yield* failureOf(polling)).toMatchObject({ _tag: "Fenced", error: "FENCED_INSTANCE_ID" })
      })
  },
  {
    name: "run handles every message and commits them, four at a time",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 4, 200)
        const handled: Array<string> = []
        const member = yield* memberOf(site, topic)
        const running = yield* Effect.fork(member.run(({ text }) => Effect.sync(() => handled.push(text)), { concurrency: 4 }))
        yield* until(() => handled.length >= 200)
        yield* Fiber.interrupt(running)
        expect(handled.sort()).toEqual([...numbered(200)].sort())
        yield* member.leaveConsumerGroup
        expect(yield* committed(site)).toBe(200)
      })
  },
  {
    name: "run ends with the handler's error, and commits what was handled before it",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 1, 10)
        const member = yield* memberOf(site, topic)
        const failed = yield* failureOf(member.run(({ text }) => (text === "message 3" ? Effect.fail(new Refused({ text })) : Effect.void)))
        expect(failed).toMatchObject({ _tag: "Refused", text: "message 3" })
        yield* member.leaveConsumerGroup
        expect(yield* committed(site)).toBe(3)
        const next = yield* memberOf(site, topic)
        expect((yield* polled(next, 7))[0]?.text).toBe("message 3")
      })
  },
  {
    name: "a handler that hangs is interrupted, and its partition and its message go to another member",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 1, 1)
        const hangs = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        const slow = yield* memberOf(site, topic, { maxPollIntervalMs: 500 })
        const lost: Array<string> = []
        yield* Effect.forkScoped(Stream.runForEach(slow.events, (event) => Effect.sync(() => event._tag === "PartitionsLost" && lost.push(event.reason))))
        const handler = Effect.onInterrupt(Effect.andThen(Deferred.succeed(hangs, undefined), Effect.never), () => Deferred.succeed(interrupted, undefined))
        yield* Effect.forkScoped(slow.run(() => handler))
        yield* Deferred.await(hangs)
        const other = yield* memberOf(site, topic)
        expect(textsOf(yield* polled(other, 1))).toEqual(["message 0"])
        yield* Deferred.await(interrupted)
        expect(lost).toEqual(["stalled"])
      })
  },
  {
    name: "a topic that is made anew is read from its first message",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 1, 20)
        const member = yield* memberOf(site, topic, {}, { from: "subscribed" })
        const producer = yield* producerOf(site)
        yield* producer.sendMessage(topic, "live")
        expect(textsOf(yield* polled(member, 1))).toEqual(["live"])
        yield* producer.removeTopic(topic)
        // The cluster deletes it in the background.
        yield* Effect.retry(producer.addTopic(topic, { partitions: 1 }), { while: ({ _tag }) => _tag === "TopicExists" })
        yield* producer.sendBatch(topic, [{ value: "new 0" }, { value: "new 1" }])
        const got: Array<string> = []
        while (got.length < 2) got.push(...textsOf(yield* Effect.orElseSucceed(member.poll(), () => [])))
        expect(got).toEqual(["new 0", "new 1"])
      })
  },
  {
    name: "events tell assignments and commits, and the group is described, reset and deleted",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* filled(site, 2, 10)
        const events: Array<string> = []
        const member = yield* memberOf(site, topic, {}, { commitIntervalMs: 100 })
        yield* Effect.forkScoped(Stream.runForEach(member.events, ({ _tag }) => Effect.sync(() => events.push(_tag))))
        yield* polled(member, 10)
        while ((yield* committed(site)) < 10) yield* member.poll({ timeoutMs: 50 })
        yield* until(() => events.includes("OffsetsCommitted"))
        expect(events[0]).toBe("PartitionsAssigned")
        const admin = yield* adminOf(site)
        const group = site.named("group")
        const described = yield* admin.describeGroup(group)
        expect([described.state, described.members.length, described.assignor]).toEqual(["Stable", 1, "range"])
        expect(described.offsets.map(({ committed: at, lag, partition }) => [partition, at, lag])).toEqual([
          [0, 5, 0],
          [1, 5, 0]
        ])
        expect((yield* failureOf(admin.deleteGroup(group)))._tag).toBe("GroupNotEmpty")
        yield* member.leaveConsumerGroup
        yield* admin.resetGroupOffsets(group, { offset: 2 }, { topics: [topic] })
        expect(yield* committed(site)).toBe(4)
        yield* admin.deleteGroup(group)
        expect((yield* failureOf(admin.describeGroup(group)))._tag).toBe("UnknownGroup")
      })
  }
]
