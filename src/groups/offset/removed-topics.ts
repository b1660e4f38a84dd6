import { Effect, HashMap, Option, Queue } from "effect"
import type { Event as ClusterEvent } from "../../../domain/cluster/event.ts"
import { Command } from "../../../domain/group/command.ts"
import { sortedGroups } from "../../../domain/group/groups.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { type EventTable, lookUp } from "../../stream/event-table.ts"
import type { CoordinatorContext } from "../context.ts"
import type { GroupStream } from "../group-stream.ts"
import { give } from "../session/watch.ts"
import { allCurrent, committableByName } from "./committable-topic.ts"

/** The topic that an event of the cluster removes. */
const removed: EventTable<ClusterEvent, TopicName | undefined> = {
  ClusterFounded: () => undefined,
  GroupStreamsFixed: () => undefined,
  LeaderElected: () => undefined,
  EventLevelRaised: () => undefined,
  BrokerRegistered: () => undefined,
  BrokerUnfenced: () => undefined,
  BrokerFenced: () => undefined,
  BrokerRemoved: () => undefined,
  TopicAdded: () => undefined,
  PartitionPlaced: () => undefined,
  PartitionLeaderChanged: () => undefined,
  TopicConfigsChanged: () => undefined,
  NodeConfigsChanged: () => undefined,
  ResourceConfigsChanged: () => undefined,
  TopicRemoved: ({ topic }) => topic,
  ProducerIdsAllocated: () => undefined,
  LeadersElected: () => undefined,
  InSyncSetsChanged: () => undefined,
  LeaderElectedUncleanly: () => undefined,
  RecordsLost: () => undefined,
  ReassignmentBegan: () => undefined,
  ReassignmentEnded: () => undefined,
  BrokerLeaving: () => undefined,
  ReplicasDisowned: () => undefined
}

/**
 * Topics that may be removed. A commit may still be on its way into the journal when its topic is removed: the handler of the commit looks at the topic again afterwards, and adds it here.
 */
export class SuspectTopics {
  private readonly names = new Set<TopicName>()

  private constructor(private readonly woken: Queue.Queue<void>) {}
  static readonly make: Effect.Effect<SuspectTopics> = Effect.map(Queue.sliding<void>(1), (woken) => new SuspectTopics(woken))

  readonly add = (topics: Iterable<TopicName>): void => {
    for (const topic of topics) this.names.add(topic)
    Queue.unsafeOffer(this.woken, undefined)
  }
  /** Adds the topics that events of the cluster remove. */
  readonly follow = (events: ReadonlyArray<ClusterEvent>): void => {
    const topics = events.flatMap((event) => lookUp(removed, event) ?? [])
    if (topics.length > 0) this.add(topics)
  }
  /** Waits for topics, and returns all that were added. */
  readonly take: Effect.Effect<ReadonlyArray<TopicName>> = Effect.suspend(() =>
    Effect.map(Queue.take(this.woken), () => {
      const all = [...this.names]
      this.names.clear()
      return all
    })
  )
}

/** Returns every topic in which a group of the stream has committed. */
export const committedTopics = ({ writer }: Pick<GroupStream, "writer">): ReadonlySet<TopicName> => {
  const topics = new Set<TopicName>()
  for (const [, { offsets }] of writer.state()) for (const topic of HashMap.keys(offsets)) topics.add(topic)
  return topics
}

const commandsFor = ({ cluster, now }: CoordinatorContext, { writer }: GroupStream, topics: ReadonlyArray<TopicName>): ReadonlyArray<Command> =>
  sortedGroups(writer.state()).flatMap(({ groupId, offsets }) =>
    topics.flatMap((topic) => {
      const held = Option.getOrUndefined(HashMap.get(offsets, topic))
      return held === undefined || allCurrent(committableByName(cluster(), topic), held) ? [] : [Command.RemoveTopic({ groupId, at: now(), topic })]
    })
  )

/** Removes the offsets of removed topics, for as long as it runs. */
export const forgetRemovedTopics = (coordinator: CoordinatorContext, suspects: SuspectTopics): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(suspects.take, (topics) =>
      Effect.forEach([...coordinator.streams], (stream) => Effect.suspend(() => give(coordinator, stream, commandsFor(coordinator, stream, topics))))
    )
  )
