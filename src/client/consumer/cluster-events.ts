import { Chunk, Effect, Option, Stream } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { faultOf } from "../argument/guard.ts"
import { type CallError, type InvalidAddress, InvalidArgument } from "../error.ts"
import type { ConnectionOptions } from "../options.ts"
import { wrongConsumer, wrongEvents } from "./arguments.ts"
import { Consumer } from "./consumer.ts"
import type { AssignError, PollError } from "./errors.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { EventsOptions } from "./options.ts"

/** The topic of the leader's journal: one event a message, as JSON. */
const eventsTopic = "__cluster_metadata"

/**
 * The events of the leader of a Comanche Franz cluster, in their order. The offset of a message is the index of its
 * event. Its headers name the command that caused it, and the actor.
 */
export const clusterEvents = (
  connection: ConnectionOptions,
  options: EventsOptions = {}
): Stream.Stream<ConsumedRecord, CallError | InvalidAddress | InvalidArgument | AssignError | PollError, Transport | Checksum | Compression> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const fault = faultOf("clusterEvents", () => wrongConsumer(connection) ?? wrongEvents(options))
      if (fault !== undefined) return yield* fault
      const { follow = false } = options
      const consumer = yield* Consumer.make(connection)
      const offsetAt = (at: "earliest" | "latest") =>
        Effect.zipRight(
          consumer.assign([{ topic: eventsTopic, partition: 0, at }]),
          Effect.map(consumer.positions, (positions) => positions[0]?.offset ?? 0)
        )
      const start = yield* offsetAt("earliest")
      const end = yield* offsetAt("latest")
      const { from = start } = options
      if (from < start)
        return yield* new InvalidArgument({
          call: "clusterEvents",
          field: "options.from",
          given: String(from),
          allowed: `${start} or more, since the journal was trimmed and begins there`
        })
      yield* consumer.seek(eventsTopic, 0, from)
      const isOver = Effect.map(consumer.positions, (positions) => !follow && (positions[0]?.offset ?? 0) >= end)
      const next = Effect.map(consumer.poll({ maxRecords: 1000 }), Chunk.unsafeFromArray)
      // Stream takes None in the error channel for its end.
      return Stream.repeatEffectChunkOption(Effect.flatMap(isOver, (over) => (over ? Effect.fail(Option.none()) : Effect.mapError(next, Option.some))))
    })
  )
