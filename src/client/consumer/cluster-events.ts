import { Chunk, Effect, Option, Stream } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { found } from "../argument/guard.ts"
import type { CallError, InvalidAddress, InvalidArgument } from "../error.ts"
import type { ConnectionOptions } from "../options.ts"
import { wrongEvents } from "./arguments.ts"
import { Consumer } from "./consumer.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { EventsOptions } from "./options.ts"
import type { AssignError, PollError } from "./types.ts"

/** The topic in which a cluster's leader shows what it decided, one event a message, as JSON. */
export const eventsTopic = "__cluster_metadata"

/** Everything that the leader of a Comanche Franz cluster decided, in its order. The offset of a message is the index of its event; its headers say which command caused it, and whose. */
export const clusterEvents = (
  connection: ConnectionOptions,
  options: EventsOptions = {}
): Stream.Stream<ConsumedRecord, CallError | InvalidAddress | InvalidArgument | AssignError | PollError, Transport | Checksum | Compression> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const fault = found("clusterEvents", () => wrongEvents(options))
      if (fault !== undefined) return yield* fault
      const { follow = false, from = 0 } = options
      const consumer = yield* Consumer.make(connection)
      yield* consumer.assign([{ topic: eventsTopic, partition: 0, at: "latest" }])
      const end = (yield* consumer.positions)[0]?.offset ?? 0
      yield* consumer.seek(eventsTopic, 0, from)
      const isOver = Effect.map(consumer.positions, (places) => !follow && (places[0]?.offset ?? 0) >= end)
      const next = Effect.map(consumer.poll({ maxRecords: 1000 }), Chunk.unsafeFromArray)
      // The end of the stream is said in the error channel, as Stream wants it.
      return Stream.repeatEffectChunkOption(Effect.flatMap(isOver, (over) => (over ? Effect.fail(Option.none()) : Effect.mapError(next, Option.some))))
    })
  )
