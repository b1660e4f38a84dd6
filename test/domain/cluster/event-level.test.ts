import { describe, expect, test } from "bun:test"
import { Schema } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { baseEventLevel, Event } from "../../../domain/cluster/event.ts"
import { eventLevels, raisableEventLevel } from "../../../domain/cluster/event-level.ts"
import { ClusterState } from "../../../domain/cluster/snapshot.ts"
import { brokerOf, type Cluster } from "../../../domain/cluster/state.ts"
import { afterCommands, given, givenCluster, heartbeat, register } from "./support.ts"

/** Registers a broker of a version that knows this level; without one, of a version before there were levels. */
const joins = (brokerId: number, eventLevel?: number): Command => ({ ...register(brokerId), eventLevel }) as Command
const raise = (level: number) => Command.RaiseEventLevel({ level })
const snapshotted = (cluster: Cluster): Cluster => Schema.decodeUnknownSync(ClusterState)(JSON.parse(JSON.stringify(Schema.encodeSync(ClusterState)(cluster))))

test("every kind of event has a level, and all that older versions know have the base level", () => {
  const tags = Event.members.map((member) => member._tag)
  expect(Object.keys(eventLevels).sort()).toEqual([...tags].sort())
  const older = tags.filter((tag) => eventLevels[tag] === baseEventLevel && tag !== "EventLevelRaised")
  expect(older).toHaveLength(15)
  // The event that raises the level belongs to a lower level than its target.
  expect(eventLevels.EventLevelRaised).toBe(baseEventLevel)
})

describe("raising the event level", () => {
  test("given brokers that all know level 3, when it is raised to 3, then one event, and a snapshot keeps it", () => {
    const cluster = given(joins(1, 3), joins(2, 4))
    expect(raisableEventLevel(cluster, 9)).toBe(3)
    expect(givenCluster(cluster).events(raise(3))).toMatchObject([{ _tag: "EventLevelRaised", v: 1, level: 3 }])
    const raised = afterCommands(cluster, raise(3))
    expect([raised.eventLevel, snapshotted(raised).eventLevel]).toEqual([3, 3])
    expect(brokerOf(snapshotted(raised), 2)).toMatchObject({ eventLevel: 4 })
  })
  test.each([
    ["a broker of a version before there were levels", [joins(1, 3), joins(2)]],
    ["that broker, fenced", [joins(1, 3), joins(2), heartbeat(2), heartbeat(2, { wantShutDown: true })]],
    ["a broker that knows less", [joins(1, 3), joins(2, 2)]]
  ])("given %s, when it is raised, then FEATURE_UPDATE_FAILED names it", (_, commands) => {
    const cluster = given(...commands)
    expect(givenCluster(cluster).rejection(raise(3))).toMatchObject({
      error: "FEATURE_UPDATE_FAILED",
      message: expect.stringContaining("broker 2 at 127.0.0.1:9002")
    })
    expect(raisableEventLevel(cluster, 3)).not.toBe(3)
  })
  test("an old journal that is opened by a newer leader stays at the base level until its last older broker is gone", () => {
    const old = given(Command.FoundCluster({ clusterId: "c" }), joins(1), joins(2))
    expect([old.eventLevel, raisableEventLevel(old, 9)]).toEqual([baseEventLevel, undefined])
    const one = afterCommands(old, joins(1, 2), Command.UnregisterBroker({ brokerId: 2 }))
    expect(raisableEventLevel(afterCommands(old, Command.UnregisterBroker({ brokerId: 2 })), 9)).toBeUndefined()
    expect(raisableEventLevel(one, 9)).toBeUndefined()
    const upgraded = afterCommands(one, Command.UnregisterBroker({ brokerId: 1 }), joins(1, 2))
    expect(raisableEventLevel(upgraded, 9)).toBe(2)
  })
  test("the level is not raised without a registered broker, nor above the leader's own", () => {
    expect(raisableEventLevel(given(), 9)).toBeUndefined()
    expect(raisableEventLevel(given(joins(1, 5)), 4)).toBe(4)
    expect(raisableEventLevel(given(joins(1, 5)), baseEventLevel)).toBeUndefined()
  })
  test("a level never falls, and is raised once", () => {
    const raised = given(joins(1, 5), raise(5))
    expect(givenCluster(raised).events(raise(5))).toEqual([])
    expect(givenCluster(raised).events(raise(2))).toEqual([])
  })
  test("a broker that does not know the cluster's level is not registered", () => {
    const raised = given(joins(1, 3), raise(3))
    expect(givenCluster(raised).rejection(joins(2))).toMatchObject({ error: "UNSUPPORTED_VERSION", message: expect.stringContaining("event level 1") })
    expect(givenCluster(raised).error(joins(2, 3))).toBe("allowed")
  })
})

test("a broker of the base level is journalled without a level, as older versions do", () => {
  const registered = (level?: number) => givenCluster(given()).events(joins(1, level))[0]
  const encode = Schema.encodeSync(Event)
  expect(encode(registered(baseEventLevel) as Event)).toEqual(encode(registered() as Event))
  expect(encode(registered() as Event)).not.toHaveProperty("eventLevel")
  expect(encode(registered(2) as Event)).toMatchObject({ eventLevel: 2 })
})
