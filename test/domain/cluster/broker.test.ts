import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { brokerOf, type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { addTopic, eventsOf, given, heartbeat, register, topicId, up } from "./support.ts"

const tags = (cluster: Cluster, command: Command): ReadonlyArray<string> => eventsOf(cluster, command).map((event) => event._tag)
const refused = (cluster: Cluster, command: Command): string => Either.match(decide(cluster, command), { onLeft: ({ error }) => error, onRight: () => "done" })
const orders = (() => {
  const one = up(1)
  return fold(evolve, one, eventsOf(one, addTopic("orders", { partitionCount: 2 })))
})()
const leaders = (cluster: Cluster) => topicByName(cluster, "orders")?.partitions.map(({ leader, leaderEpoch }) => [leader as number, leaderEpoch])

describe("RegisterBroker", () => {
  test("a new broker is fenced, and its epoch is the journal index of its registration", () => {
    const cluster = given(Command.FoundCluster({ clusterId: "c" }), register(1))
    expect(brokerOf(cluster, 1)).toMatchObject({ epoch: 1, fenced: true })
  })
  test("a host, rack or incarnation id that a terminal would obey is refused", () => {
    const from = (more: { readonly host?: string; readonly rack?: string; readonly incarnationId?: string }) =>
      Command.RegisterBroker({ brokerId: 1, incarnationId: "i", clusterId: "", host: "h", port: 1, rack: null, ...more })
    expect(refused(up(0), from({}))).toBe("done")
    expect(refused(up(0), from({ host: "münchen.example" }))).toBe("done")
    for (const bad of ["a\u001b[2J", "a\nb", "a\u202eb", "\u2028"])
      expect([refused(up(0), from({ host: bad })), refused(up(0), from({ rack: bad })), refused(up(0), from({ incarnationId: bad }))]).toEqual(
        Array.from({ length: 3 }, () => "INVALID_REGISTRATION")
      )
  })
  test("when the answer was lost and it asks again, then nothing happens", () => expect(tags(up(1), register(1))).toEqual([]))
  test("given a broker that lives, when another process takes its id, then DUPLICATE_BROKER_REGISTRATION", () =>
    expect(refused(up(1), register(1, "another", 9999))).toBe("DUPLICATE_BROKER_REGISTRATION"))
  test("given that it lives, when a new process comes from its own address, then the old one is fenced and the new one has a newer epoch", () => {
    const events = eventsOf(orders, register(1, "after kill -9"))
    expect(events.map((event) => event._tag)).toEqual(["BrokerFenced", "BrokerRegistered"])
    const after = fold(evolve, orders, events)
    expect(brokerOf(after, 1)?.epoch).toBe(after.index - 1)
    expect(leaders(after)).toEqual([
      [-1, 1],
      [-1, 1]
    ])
  })
  test("given a leader, then its id is free for the broker at its own address alone, which takes it over at once", () => {
    const elect = Command.ElectLeader({ nodeId: 1 as BrokerId, host: "127.0.0.1", port: 9999, epoch: 2 })
    const elected = fold(evolve, orders, eventsOf(orders, elect))
    expect(refused(elected, register(1, "elsewhere", 9998))).toBe("DUPLICATE_BROKER_REGISTRATION")
    expect(tags(elected, register(1, "in the leader's process", 9999)).at(-1)).toBe("BrokerRegistered")
  })
  test("given that it is fenced, when another process takes its id, then it is let in", () => {
    const fenced = fold(evolve, orders, eventsOf(orders, heartbeat(1, { wantShutDown: true })(orders)))
    expect(tags(fenced, register(1, "another", 9999))).toEqual(["BrokerRegistered"])
  })
  test.each([
    [{ clusterId: "another" }, "INCONSISTENT_CLUSTER_ID"],
    [{ clusterId: "cluster-1" }, "done"],
    [{ host: "" }, "INVALID_REGISTRATION"],
    [{ port: 0 }, "INVALID_REGISTRATION"],
    [{ port: 65_536 }, "INVALID_REGISTRATION"],
    [{ brokerId: -1 }, "INVALID_REGISTRATION"],
    [{ host: "h".repeat(256) }, "INVALID_REGISTRATION"]
  ])("%j: %s", (more, error) => expect(refused(up(1), { ...(register(2) as Extract<Command, { _tag: "RegisterBroker" }>), ...more })).toBe(error))
})

describe("BrokerHeartbeat", () => {
  test("a broker that has not read its registration stays fenced; one that has is let in", () => {
    const cluster = given(register(1))
    expect(tags(cluster, heartbeat(1, { metadataOffset: -1 })(cluster))).toEqual([])
    expect(tags(cluster, heartbeat(1, { metadataOffset: 0 })(cluster))).toEqual(["BrokerUnfenced"])
  })
  test("one that lives and goes on living changes nothing", () => expect(tags(orders, heartbeat(1)(orders))).toEqual([]))
  test("when it shuts down, then its partitions lose their leader; when it comes back, then they get it again, under newer epochs", () => {
    const down = fold(evolve, orders, eventsOf(orders, heartbeat(1, { wantShutDown: true })(orders)))
    expect(leaders(down)).toEqual([
      [-1, 1],
      [-1, 1]
    ])
    const registered = fold(evolve, down, eventsOf(down, register(1, "second")))
    const back = fold(evolve, registered, eventsOf(registered, heartbeat(1)(registered)))
    expect(leaders(back)).toEqual([
      [1, 2],
      [1, 2]
    ])
  })
  test("unknown broker: BROKER_ID_NOT_REGISTERED; older epoch: STALE_BROKER_EPOCH", () => {
    expect(refused(orders, heartbeat(7)(orders))).toBe("BROKER_ID_NOT_REGISTERED")
    expect(refused(orders, heartbeat(1, { brokerEpoch: 0 })(orders))).toBe("STALE_BROKER_EPOCH")
  })
})

describe("FenceBroker", () => {
  const epoch = brokerOf(orders, 1)?.epoch as number
  test("a silent broker's partitions lose their leader", () =>
    expect(leaders(fold(evolve, orders, eventsOf(orders, Command.FenceBroker({ brokerId: 1 as BrokerId, brokerEpoch: epoch }))))).toEqual([
      [-1, 1],
      [-1, 1]
    ]))
  test("however many partitions it leads, coming and going takes one event", () => {
    const wide = fold(evolve, orders, eventsOf(orders, addTopic("wide", { topicId: topicId(2), partitionCount: 10_000 })))
    const fenced = fold(evolve, wide, eventsOf(wide, Command.FenceBroker({ brokerId: 1 as BrokerId, brokerEpoch: epoch })))
    const back = fold(evolve, fenced, eventsOf(fenced, heartbeat(1)(fenced)))
    expect([wide.index + 1, wide.index + 2]).toEqual([fenced.index, back.index])
    expect(topicByName(back, "wide")?.partitions.at(9_999)).toMatchObject({ leader: 1, leaderEpoch: 2, partitionEpoch: 2 })
  })
  test("a timer of an older registration does nothing", () =>
    expect(tags(orders, Command.FenceBroker({ brokerId: 1 as BrokerId, brokerEpoch: epoch - 1 }))).toEqual([]))
})

describe("AllocateProducerIds", () => {
  const ask = (brokerEpoch: number | undefined) => Command.AllocateProducerIds({ brokerId: 1, brokerEpoch, count: 1000 })
  test("blocks follow each other and never overlap", () => {
    const epoch = brokerOf(orders, 1)?.epoch
    const first = eventsOf(orders, ask(epoch))
    const second = eventsOf(fold(evolve, orders, first), ask(undefined))
    expect([first[0], second[0]]).toMatchObject([{ first: 0n }, { first: 1000n }])
  })
  test("an older epoch is refused", () => expect(refused(orders, ask(0))).toBe("STALE_BROKER_EPOCH"))
})
