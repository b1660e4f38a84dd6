import { expect, test } from "bun:test"
import { Effect, Fiber, Stream } from "effect"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerEvent } from "../../../../src/client/consumer/events.ts"
import type { AssignorName } from "../../../../src/client/group/options.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, withCluster } from "../real-cluster.ts"

const cooperative: ReadonlyArray<AssignorName> = ["cooperative-sticky"]

/** What a member did: its events, its scopes of partitions, and the messages that it handled. */
interface Seen {
  readonly events: Array<ConsumerEvent>
  readonly opened: Array<number>
  readonly closed: Array<number>
  readonly handled: Array<string>
}

/** Runs a member of the group until it is interrupted. `slowMs`: how long it handles a message. */
const member = (assignors: ReadonlyArray<AssignorName>, slowMs = 0) =>
  Effect.gen(function* () {
    const seen: Seen = { events: [], opened: [], closed: [], handled: [] }
    const consumer = yield* Consumer.make({ leader, from: "earliest" })
    yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) => Effect.sync(() => seen.events.push(event))))
    const onAssigned = ({ partition }: { readonly partition: number }) =>
      Effect.acquireRelease(
        Effect.sync(() => seen.opened.push(partition)),
        () => Effect.sync(() => seen.closed.push(partition))
      )
    yield* consumer.joinConsumerGroup("workers", { assignors, onAssigned })
    yield* consumer.subscribe("jobs")
    const handle = ({ text }: { readonly text: string }) =>
      Effect.delay(
        Effect.sync(() => seen.handled.push(text)),
        slowMs
      )
    yield* Effect.forkScoped(consumer.run(handle, { concurrency: 8 }))
    return seen
  })
const lived = (assignors: ReadonlyArray<AssignorName>, slowMs?: number) => {
  const seen = { current: undefined as Seen | undefined }
  const life = Effect.scoped(
    Effect.zipRight(
      Effect.map(member(assignors, slowMs), (made) => {
        seen.current = made
      }),
      Effect.never
    )
  )
  return { life, seen: () => seen.current as Seen }
}
const until = (done: () => boolean) => Effect.repeat(Effect.sleep(50), { until: done, times: 2400 })
const partitionsOf = ({ events }: Seen, tag: "PartitionsAssigned" | "PartitionsRevoked") =>
  events.flatMap((event) => (event._tag === tag ? event.partitions.map(({ partition }) => partition) : []))

test("a member gives away what moves and nothing else, and reads on meanwhile (KIP-429)", () =>
  withCluster(() =>
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      yield* producer.addTopic("jobs", { partitions: 4 })
      const first = lived(cooperative)
      yield* Effect.forkScoped(first.life)
      yield* until(() => first.seen()?.opened.length === 4)
      const second = lived(cooperative)
      const other = yield* Effect.forkScoped(second.life)
      yield* until(() => second.seen()?.opened.length === 2)
      const moved = partitionsOf(first.seen(), "PartitionsRevoked")
      expect(moved.length).toBe(2)
      expect(first.seen().closed.sort()).toEqual([...moved].sort())
      expect([...second.seen().opened].sort()).toEqual([...moved].sort())
      for (let at = 0; at < 40; at++) yield* producer.sendMessage("jobs", `${at}`, { partition: at % 4 })
      yield* until(() => first.seen().handled.length + second.seen().handled.length >= 40)
      expect([first.seen().handled.length, second.seen().handled.length]).toEqual([20, 20])
      // The second leaves: the first gets its partitions, and keeps its own.
      yield* Fiber.interrupt(other)
      yield* until(() => first.seen().opened.length === 6)
      expect(first.seen().closed.length).toBe(2)
      for (let at = 40; at < 60; at++) yield* producer.sendMessage("jobs", `${at}`, { partition: at % 4 })
      yield* until(() => first.seen().handled.length >= 40)
      const all = [...first.seen().handled, ...second.seen().handled]
      expect(all.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, at) => at))
    })
  ))

test("messages of the partitions that stay are handled while the handler of one that moves is slow", () =>
  withCluster(() =>
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      yield* producer.addTopic("jobs", { partitions: 4 })
      const first = lived(cooperative, 8000)
      yield* Effect.forkScoped(first.life)
      yield* until(() => first.seen()?.opened.length === 4)
      for (let at = 0; at < 12; at++) yield* producer.sendMessage("jobs", `${at}`, { partition: at % 4 })
      yield* Effect.sleep(500)
      const second = lived(cooperative)
      yield* Effect.forkScoped(second.life)
      yield* until(() => second.seen()?.opened.length === 2)
      yield* until(() => first.seen().handled.length + second.seen().handled.length >= 12)
      const all = [...first.seen().handled, ...second.seen().handled]
      // Each message once: what the first had begun was finished and committed before its partition moved.
      expect(all.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, at) => at))
    })
  ))

test("beside another assignor it gives everything away first, and shares a group with members that lack it", () =>
  withCluster(() =>
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      yield* producer.addTopic("jobs", { partitions: 4 })
      const first = lived(["cooperative-sticky", "range"])
      yield* Effect.forkScoped(first.life)
      yield* until(() => first.seen()?.opened.length === 4)
      const second = lived(["range"])
      yield* Effect.forkScoped(second.life)
      yield* until(() => second.seen()?.opened.length === 2 && first.seen().opened.length === 6)
      expect(first.seen().closed.length).toBe(4)
    })
  ))
