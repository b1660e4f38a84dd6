import { Effect, HashMap, Option, Queue } from "effect"
import type { Event as ClusterEvent } from "../../../domain/cluster/event.ts"
import { Command } from "../../../domain/group/command.ts"
import { sortedGroups } from "../../../domain/group/groups.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import type { GroupRoom, GroupStream } from "../context.ts"
import { allCurrent, placeByName } from "./committable-topic.ts"

/**
 * Topics that may be gone, to be looked at. A commit may still be on its way into the journal when its topic is removed; the commit's handler looks at the
 * topic again afterwards, and names it here.
 */
class Suspects {
  private readonly names = new Set<TopicName>()

  constructor(readonly woken: Queue.Queue<void>) {}

  readonly add = (topics: Iterable<TopicName>): void => {
    for (const topic of topics) this.names.add(topic)
    Queue.unsafeOffer(this.woken, undefined)
  }
  /** Topics that events of the cluster remove. */
  readonly follow = (events: ReadonlyArray<ClusterEvent>): void => {
    const removed = events.flatMap((event) => (event._tag === "TopicRemoved" ? [event.topic] : []))
    if (removed.length > 0) this.add(removed)
  }
  takeAll(): ReadonlyArray<TopicName> {
    const all = [...this.names]
    this.names.clear()
    return all
  }
}

export const makeSuspects = Effect.map(Queue.sliding<void>(1), (woken) => new Suspects(woken))

/** Every topic in which some group has committed. */
const committedTopics = (room: GroupRoom): Set<TopicName> => {
  const topics = new Set<TopicName>()
  for (const { writer } of room.streams) for (const [, { offsets }] of writer.state()) for (const topic of HashMap.keys(offsets)) topics.add(topic)
  return topics
}

const forget = (room: GroupRoom, { writer }: GroupStream, topics: ReadonlyArray<TopicName>) =>
  Effect.suspend(() => {
    const commands = sortedGroups(writer.state()).flatMap(({ groupId, offsets }) =>
      topics.flatMap((topic) => {
        const held = Option.getOrUndefined(HashMap.get(offsets, topic))
        return held === undefined || allCurrent(placeByName(room.cluster(), topic), held) ? [] : [Command.RemoveTopic({ groupId, at: room.now(), topic })]
      })
    )
    if (commands.length === 0) return Effect.void
    return writer.submitAll(commands.map((command) => ({ command, commandId: room.commandIds.own(), actor: "leader", cause: "topic removed" })))
  })

/** Takes the offsets of removed topics away, for as long as it runs: those that went while no leader was there first. */
export const forgetRemovedTopics = (room: GroupRoom, suspects: Suspects): Effect.Effect<never> =>
  Effect.gen(function* () {
    suspects.add(committedTopics(room))
    return yield* Effect.forever(
      Effect.gen(function* () {
        yield* Queue.take(suspects.woken)
        const topics = suspects.takeAll()
        for (const stream of room.streams) yield* forget(room, stream, topics)
      })
    )
  })
