import { describe, expect, test } from "bun:test"
import { HashMap } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { groupPartitionsEventLevel, knownEventLevel, levelOfEvent, replicationEventLevel, unaskedEventLevel } from "../../../domain/cluster/event-level.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Broker, brokerOf, type Cluster } from "../../../domain/cluster/state.ts"
import { groupMetadataTopicId, groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { addTopic, afterCommands, eventsOf, givenCluster, up } from "./support.ts"

const addGroupPartitions = (replicationFactor = 3): Command =>
  Command.AddGroupPartitions({ replicationFactor, segmentBytes: 1_048_576, partitionsPerBrokerMax: 1000 })

/** Three brokers that know partitions of groups, and four streams of groups. */
const three: Cluster = { ...afterCommands(up(3), Command.FixGroupStreams({ count: 4 })), eventLevel: groupPartitionsEventLevel }
const refused = (state: Cluster, command: Command): string => givenCluster(state).error(command)

describe("AddGroupPartitions", () => {
  test("each stream of groups gets a partition, and the topic's settings keep what the coordinator needs", () => {
    const events = eventsOf(three, addGroupPartitions())
    const topic = groupPartitions(fold(evolve, three, events))
    expect(topic?.partitions.map(({ replicas }) => replicas.length)).toEqual([3, 3, 3, 3])
    expect(topic?.configs).toMatchObject({ "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "segment.bytes": "1048576" })
    expect(topic?.configs["unclean.leader.election.enable"]).toBe("false")
    expect(events.map(levelOfEvent)).toEqual([groupPartitionsEventLevel, 1, 1, 1, 1])
    expect(knownEventLevel).toBeGreaterThanOrEqual(groupPartitionsEventLevel)
  })

  test("it raises the event level where every registered broker knows its own, in the same append; a refusal leaves the level", () => {
    const knowing: Cluster = {
      ...three,
      eventLevel: replicationEventLevel,
      brokers: HashMap.map(three.brokers, (broker) => ({ ...broker, eventLevel: groupPartitionsEventLevel }))
    }
    const events = eventsOf(knowing, addGroupPartitions())
    expect(events.map(({ _tag }) => _tag)).toEqual(["EventLevelRaised", "TopicAdded", ...Array.from({ length: 4 }, () => "PartitionPlaced" as const)])
    expect(events[0]).toMatchObject({ level: groupPartitionsEventLevel })
    expect([unaskedEventLevel(knowing), unaskedEventLevel(fold(evolve, knowing, events))]).toEqual([replicationEventLevel, knownEventLevel])
    expect(refused(knowing, addGroupPartitions(4))).toBe("INVALID_REPLICATION_FACTOR")
    // One that is fenced may restart with its older version.
    const older = { ...brokerOf(knowing, 2), fenced: true, eventLevel: replicationEventLevel } as Broker
    expect(refused({ ...knowing, brokers: HashMap.set(knowing.brokers, older.id, older) }, addGroupPartitions(2))).toBe("UNSUPPORTED_VERSION")
  })

  test("it happens once", () => {
    expect(eventsOf(afterCommands(three, addGroupPartitions()), addGroupPartitions(1))).toEqual([])
  })

  test("not before every broker knows them, nor with more replicas than brokers, nor before the number of streams is fixed", () => {
    expect(refused({ ...three, eventLevel: groupPartitionsEventLevel - 1 }, addGroupPartitions())).toBe("UNSUPPORTED_VERSION")
    expect(refused(three, addGroupPartitions(4))).toBe("INVALID_REPLICATION_FACTOR")
    expect(refused({ ...three, groupStreams: undefined }, addGroupPartitions())).toBe("INVALID_REQUEST")
  })

  test.each([
    ["AddPartitions", Command.AddPartitions({ topic: "__group_metadata", count: 9, assignments: null, partitionsPerBrokerMax: 1000, validateOnly: false })],
    ["RemoveTopic by name", Command.RemoveTopic({ topic: { name: "__group_metadata" } })],
    ["RemoveTopic by id", Command.RemoveTopic({ topic: { topicId: groupMetadataTopicId } })],
    [
      "ChangeTopicConfigs",
      Command.ChangeTopicConfigs({
        topic: "__group_metadata",
        replace: false,
        changes: [{ name: "cleanup.policy", operation: "set", value: "compact" }],
        validateOnly: false
      })
    ],
    ["AddTopic", addTopic("__group_metadata")]
  ])("no client changes the topic: %s", (_, command) => {
    const there = afterCommands(three, addGroupPartitions())
    expect(["INVALID_TOPIC_EXCEPTION", "TOPIC_ALREADY_EXISTS"]).toContain(refused(there, command))
  })
})
