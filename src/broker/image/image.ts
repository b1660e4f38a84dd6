import { Context, Deferred, Effect, Fiber, type Scope } from "effect"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { Checksum } from "../../ports/checksum.ts"
import { LogStore } from "../../ports/log-store.ts"
import { BrokerSettings } from "../broker-settings.ts"
import type { BrokerFault } from "../fault.ts"
import { LeaderContact } from "../leader-contact.ts"
import { MadeLogs } from "../made-logs.ts"
import { OwnDirectories } from "../own-directories.ts"
import { Follower } from "./follower.ts"
import { ImageCheckpoints } from "./image-checkpoints.ts"

/**
 * The image of the cluster from which this broker responds: the leader's events, fetched as any consumer fetches them.
 * It begins with the checkpoint of an earlier run where that is of the leader's journal, else with the first event, or
 * with the leader's snapshot where the journal does not have that event any more (KIP-630). A checkpoint is written in the background after so many events, and when the scope closes.
 */
export class Image extends Context.Tag("comanche-franz/broker/Image")<
  Image,
  {
    /** The fold of every event read so far. */
    readonly cluster: () => Cluster
    /** Topics that were removed, since the first event of the journal. */
    readonly removed: ReadonlySet<TopicId>
    /** Whether the image began with a snapshot of the leader in this process: topics may have been removed before that `removed` does not have. */
    readonly hasGaps: () => boolean
    /** The journal names the cluster in its first event, and the data directory is claimed for it. */
    readonly founded: Effect.Effect<string>
    /** Every event that the leader had when it was first asked is folded. */
    readonly caughtUp: Effect.Effect<void>
    /** Whether clients may be told of the image: it has caught up, or is empty and the leader has given nothing for 5 s. */
    readonly isShown: () => boolean
    /** Waits until `isShown`. */
    readonly shown: Effect.Effect<void>
    /** Calls `listener` after each run of events; returns a function that ends that. */
    readonly onChange: (listener: () => void) => () => void
    /**
     * Follows the leader until it is interrupted, or until it fails for good. Calls `apply` with each run of events
     * after it has been folded, and before the listeners.
     */
    readonly follow: (apply: (events: ReadonlyArray<Event>) => void) => Effect.Effect<never, BrokerFault>
  }
>() {
  static readonly make: Effect.Effect<Image["Type"], never, BrokerSettings | OwnDirectories | LeaderContact | LogStore | Checksum | MadeLogs | Scope.Scope> =
    Effect.suspend(() => make)
}

/** Waits until `holds` is true of the image; looks after each run of events, and at no other time. */
export const awaitImage = (image: Pick<Image["Type"], "cluster" | "onChange">, holds: (cluster: Cluster) => boolean): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (holds(image.cluster())) return resume(Effect.void)
    const stop = image.onChange(() => {
      if (!holds(image.cluster())) return
      stop()
      resume(Effect.void)
    })
    return Effect.sync(stop)
  })

/** How long clients wait for a leader that gives nothing, before they are told of an empty image, ms. */
const unreachedMs = 5000

const make = Effect.gen(function* () {
  const store = yield* LogStore
  const contact = yield* LeaderContact
  const scope = yield* Effect.scope
  const { config, nodeId } = yield* BrokerSettings
  const { clusterId } = yield* OwnDirectories
  const checkpoints = new ImageCheckpoints(store, { clusterId, intervalEvents: config["metadata.snapshot.interval.events"] })
  let apply: (events: ReadonlyArray<Event>) => void = () => undefined
  const folded = (events: ReadonlyArray<Event>, bytes: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      apply(events)
      for (const listener of follower.listeners) listener()
      checkpoints.count(events.length, bytes)
      // A long replay is not interrupted by checkpoints: one is due when the image has caught up.
      const due = follower.hasCaughtUp ? checkpoints.writeIfDue(follower.image) : undefined
      return due === undefined ? Effect.void : Effect.asVoid(Effect.forkIn(due, scope))
    })
  const follower = new Follower({ nodeId, contact, store, checksum: yield* Checksum, made: yield* MadeLogs, folded }, yield* checkpoints.load)
  yield* Effect.addFinalizer(() => checkpoints.writeAtStop(follower.image))
  let hasWaited = false
  const waiting = yield* Effect.forkScoped(
    Effect.delay(
      Effect.sync(() => void (hasWaited = true)),
      unreachedMs
    )
  )
  return Image.of({
    cluster: () => follower.cluster,
    removed: follower.removed,
    hasGaps: () => follower.hasGaps,
    founded: Deferred.await(follower.founded),
    caughtUp: Deferred.await(follower.caughtUp),
    isShown: () => follower.hasCaughtUp || (hasWaited && follower.isEmpty),
    shown: Effect.raceFirst(
      Deferred.await(follower.caughtUp),
      Effect.flatMap(Fiber.join(waiting), () => (follower.isEmpty ? Effect.void : Effect.never))
    ),
    onChange: (listener) => {
      follower.listeners.add(listener)
      return () => follower.listeners.delete(listener)
    },
    follow: (applied) =>
      Effect.suspend(() => {
        apply = applied
        return contact.keep("image", follower.over)
      })
  })
})
