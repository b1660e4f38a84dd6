import { Context, Effect, Either, Fiber, Layer, Queue, type Scope } from "effect"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { ClusterImage } from "../../groups/cluster-image.ts"
import { type Coordinator, GroupCoordinator, layer as layerCoordinator } from "../../groups/coordinator.ts"
import { groupStreamName } from "../../groups/groups-aggregate.ts"
import { groupApiKeys } from "../../groups/routes.ts"
import { Checksum } from "../../ports/checksum.ts"
import { Journal } from "../../ports/journal.ts"
import type { FindReadable } from "../../serve/readable.ts"
import { CommandIdFactory, CommandIds } from "../../stream/command-ids.ts"
import type { LedPartition, LedPartitions } from "../../stream/partition/led-partition.ts"
import { PartitionJournal } from "../../stream/partition/partition-journal.ts"
import { drawUuid } from "../../stream/uuid.ts"
import type { Route } from "../../wire/route.ts"
import { eitherRoute } from "../../wire/routing/either-route.ts"
import { BrokerSettings } from "../broker-settings.ts"
import { BrokerStop } from "../broker-stop.ts"
import { BrokerFault } from "../fault.ts"
import { awaitImage, Image } from "../image/image.ts"
import { LeaderContact } from "../leader-contact.ts"
import { HostedPartitions } from "../partition/hosted/hosted-partitions.ts"
import { handedOverState } from "./handed-over-state.ts"
import { ledGroupPartitions } from "./led-group-partitions.ts"

/** The groups that this broker coordinates: those of the partitions of `__group_metadata` that it leads. */
export class GroupCoordination extends Context.Tag("comanche-franz/broker/GroupCoordination")<
  GroupCoordination,
  {
    /** The routes with this broker's own for the APIs of groups, as soon as brokers coordinate the groups. */
    readonly orOwn: (routes: ReadonlyArray<Route>) => ReadonlyArray<Route>
    /** Finds the partitions of `__consumer_offsets`; undefined while the cluster's leader has them. */
    readonly findOffsets: () => FindReadable | undefined
    /** Takes the events that the image has folded, in order. */
    readonly clusterChanged: (events: ReadonlyArray<Event>) => void
  }
>() {
  static readonly make: Effect.Effect<
    GroupCoordination["Type"],
    never,
    BrokerSettings | BrokerStop | Image | LeaderContact | HostedPartitions | Checksum | Scope.Scope
  > = Effect.suspend(() => make)
}

/** Digits of a UUID that tell the ids of commands of two lives of a broker apart. */
const lifeCharacters = 8

/** Makes the coordinator, over the partitions that this broker leads. */
const makeCoordinator = (partitions: LedPartitions, unloaded: (index: number) => void) =>
  Effect.gen(function* () {
    const { config, nodeId } = yield* BrokerSettings
    const { cluster } = yield* Image
    const { crc32c } = yield* Checksum
    const journal = new PartitionJournal({ partitions, crc32c, predecessor: handedOverState(yield* LeaderContact) })
    const life = (yield* drawUuid).slice(0, lifeCharacters)
    const coordinator = layerCoordinator({
      config,
      streamCount: () => streamCountOf(cluster()),
      commitTimeoutMs: config["offsets.commit.timeout.ms"],
      partitions: { prepare: journal.prepare, isLed: (stream) => Either.isRight(partitions.find(stream)), unloaded }
    }).pipe(
      Layer.provide(Layer.succeed(Journal, journal)),
      Layer.provide(Layer.succeed(ClusterImage, { cluster })),
      Layer.provide(Layer.succeed(CommandIds, new CommandIdFactory(`${nodeId}.${life}`)))
    )
    return Context.get(yield* Layer.build(coordinator), GroupCoordinator)
  })

const streamCountOf = ({ groupStreams = 0 }: Cluster): number => groupStreams

/** A broker has no coordinator before the groups are handed over: its start pays nothing for it. */
const make = Effect.gen(function* () {
  const image = yield* Image
  const { signals, table, raise } = yield* HostedPartitions
  const { stop } = yield* BrokerStop
  const partitions = ledGroupPartitions(table, raise)
  const unloaded = new Set<number>()
  let own: Coordinator | undefined
  let routes: ReadonlyMap<number, Route> = new Map()
  const coordinate = Effect.gen(function* () {
    yield* awaitImage(image, (cluster) => groupPartitions(cluster) !== undefined)
    const coordinator = yield* makeCoordinator(partitions, (index) => {
      unloaded.add(index)
      signals.internalRoles.unsafeOffer(undefined)
    })
    routes = new Map(coordinator.routes.map((route) => [route.api.key, route]))
    own = coordinator
    yield* Effect.forkScoped(Effect.catchAll(coordinator.stopped, ({ message }) => stop(new BrokerFault({ kind: "bug", message }))))
    // Partitions may be led already.
    signals.internalRoles.unsafeOffer(undefined)
    return yield* followRoles({ coordinator, partitions, streamCount: () => streamCountOf(image.cluster()), unloaded, changed: signals.internalRoles })
  })
  yield* Effect.forkScoped(coordinate)
  return GroupCoordination.of({
    orOwn: (others) => others.map((route) => (groupApiKeys.has(route.api.key) ? eitherRoute(() => routes.get(route.api.key), route) : route)),
    findOffsets: () => own?.findOffsets,
    clusterChanged: (events) => own?.clusterChanged(events)
  })
})

interface Roles {
  readonly coordinator: Pick<Coordinator, "leadStream" | "closeStream">
  readonly partitions: LedPartitions
  readonly streamCount: () => number
  /** Streams whose journals failed. */
  readonly unloaded: Set<number>
  readonly changed: Queue.Dequeue<void>
}

/**
 * Opens the streams whose partitions this broker leads, and closes the others, whenever that changes, until it is interrupted. A leadership that ends and begins
 * again under the same epoch, as when the log gets another data directory, is another one: the stream over it ended with the first.
 */
const followRoles = ({ changed, coordinator, partitions, streamCount, unloaded }: Roles) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const led = new Map<number, { readonly partition: LedPartition; readonly opening: Fiber.Fiber<void> }>()
    const look = (index: number) =>
      Effect.gen(function* () {
        const found = partitions.find(groupStreamName(index))
        const partition = Either.isRight(found) ? found.right : undefined
        const before = led.get(index)
        if (before !== undefined && (before.partition.epoch !== partition?.epoch || !before.partition.isHeld() || unloaded.has(index))) {
          led.delete(index)
          yield* Fiber.interrupt(before.opening)
          yield* coordinator.closeStream(index, partition !== undefined)
        }
        unloaded.delete(index)
        if (partition !== undefined && !led.has(index)) led.set(index, { partition, opening: yield* Effect.forkIn(coordinator.leadStream(index), scope) })
      })
    const lookAtAll = Effect.suspend(() =>
      Effect.forEach(
        Array.from({ length: streamCount() }, (_, index) => index),
        look,
        { discard: true }
      )
    )
    return yield* Effect.forever(Effect.zipRight(Queue.take(changed), lookAtAll))
  })
