import { Effect, Scope } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import { keepInterruption, keepingInterruption } from "../../ports/kept-interruption.ts"
import type { Transport } from "../../ports/transport.ts"
import type { Wrong } from "../argument/check.ts"
import { guarded, invalid, unreadable } from "../argument/guard.ts"
import { ClusterClient, makeClient } from "../cluster/client.ts"
import type { StartAt } from "../cluster/start-offsets.ts"
import type { CallError, InvalidAddress, InvalidArgument } from "../error.ts"
import { Signal } from "../runtime/signal.ts"
import { inScope } from "../runtime/supervision.ts"
import { wrongConsumer, wrongJoin, wrongPartitions, wrongPlaces, wrongPoll, wrongRecord, wrongRun, wrongSeek, wrongTopics } from "./arguments.ts"
import { ConsumerEvents } from "./events.ts"
import { AssignedPartitions } from "./fetch/assigned-partitions.ts"
import { ConsumedRecord } from "./fetch/record.ts"
import { FetchConfig } from "./fetch/settings.ts"
import { type ConsumerOptions, consumerSettings } from "./options.ts"
import { PartitionWork } from "./partition-work.ts"
import type { ConsumerService } from "./service.ts"
import { Session } from "./session.ts"
import { Subscription } from "./subscription.ts"

type Ports = Transport | Checksum | Compression
type MakeError = CallError | InvalidAddress | InvalidArgument

/** See Consumer.make. */
export const makeConsumer = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Ports | Scope.Scope> =>
  guarded("Consumer.make", () => wrongConsumer(options), keepingInterruption(open(options)))

const open = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Ports | Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* makeClient(options)
    const settings = consumerSettings(options)
    // Fetches and heartbeats live in a scope that ends after the consumer has left its group, and before the
    // connections close.
    const scope = yield* Effect.acquireRelease(Scope.make(), (own, exit) => Scope.close(own, exit))
    const events = yield* ConsumerEvents.make
    const partitions = yield* AssignedPartitions.make.pipe(
      Effect.provideService(ClusterClient, client),
      Effect.provideService(FetchConfig, settings),
      Effect.provideService(ConsumerEvents, events)
    )
    yield* inScope(partitions.run, scope)
    const work = new PartitionWork(partitions)
    const context = { client, settings, partitions, work, events, scope, subscription: new Subscription(), subscriptionChanged: new Signal() }
    const session = new Session(context, yield* Effect.clock)
    yield* Effect.addFinalizer((exit) => session.close(exit))
    return yield* serviceOf(session, partitions, events)
  })

/**
 * The consumer's calls with the checks of their arguments. Polls run one at a time, and so do the calls that change the
 * membership or the assignment.
 */
const serviceOf = (session: Session, partitions: AssignedPartitions, events: ConsumerEvents["Type"]): Effect.Effect<ConsumerService> =>
  Effect.gen(function* () {
    const polling = yield* Effect.makeSemaphore(1)
    const changing = yield* Effect.makeSemaphore(1)
    const change = <A, E>(call: string, check: () => Wrong | undefined, effect: Effect.Effect<A, E>) => guarded(call, check, changing.withPermits(1)(effect))
    return {
      joinConsumerGroup: (group, options = {}) => change("joinConsumerGroup", () => wrongJoin(group, options), session.join(group, options)),
      leaveConsumerGroup: changing.withPermits(1)(session.leave),
      subscribe: (...topics) => change("subscribe", () => wrongTopics(topics), session.subscribe(topics)),
      unsubscribe: (...topics) => change("unsubscribe", () => wrongTopics(topics), session.unsubscribe(topics)),
      subscription: Effect.sync(() => session.topics),
      poll: (options = {}) => guarded("poll", () => wrongPoll(options), polling.withPermits(1)(Effect.suspend(() => session.poll(options)))),
      next: Effect.suspend(() => session.nextNow() ?? polling.withPermits(1)(session.next)),
      acknowledge: (record) =>
        Effect.suspend(() => {
          try {
            // A record of a poll needs no check, which would cost as much as the rest.
            const wrong = record instanceof ConsumedRecord ? undefined : wrongRecord(record)
            if (wrong !== undefined) return Effect.fail(invalid("acknowledge", wrong))
            partitions.processed(record)
            return Effect.void
          } catch (cause) {
            // A getter or a proxy of the caller threw.
            return Effect.fail(unreadable("acknowledge", cause))
          }
        }),
      commit: session.commit,
      run: (handler, options = {}) => guarded("run", () => wrongRun(handler, options), Effect.zipRight(keepInterruption, session.run(handler, options))),
      assign: (places) => change("assign", () => wrongPlaces(places), session.assign(places)),
      offsets: (places) => guarded("offsets", () => wrongPlaces(places), session.offsets(places)),
      lag: session.lag,
      pause: (...of) =>
        guarded(
          "pause",
          () => wrongPartitions(of),
          Effect.sync(() => partitions.setPaused(of, true))
        ),
      resume: (...of) =>
        guarded(
          "resume",
          () => wrongPartitions(of),
          Effect.sync(() => partitions.setPaused(of, false))
        ),
      events: events.stream,
      positions: Effect.sync(() => partitions.positions),
      isAssigned: Effect.sync(() => partitions.isAssigned),
      // An offset needs no request, whose errors only the other form has.
      seek: ((topic: string, partition: number, at: number | StartAt) =>
        guarded(
          "seek",
          () => wrongSeek(topic, partition, at),
          Effect.suspend(() => session.seek({ topic, partition }, at))
        )) as ConsumerService["seek"]
    }
  })
