import { describe, expect, test } from "bun:test"
import { HashMap } from "effect"
import { brokersMax } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { brokerOf, type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { addTopic, afterCommands, eventsOf, given, givenCluster, heartbeat, register, topicId, up } from "./support.ts"

const tags = (state: Cluster, command: Command): ReadonlyArray<string> => givenCluster(state).tags(command)
const refused = (state: Cluster, command: Command): string => givenCluster(state).error(command)
const orders = (() => {
  const one = up(1)
  return afterCommands(one, addTopic("orders", { partitionCount: 2 }))
})()
const leaders = (cluster: Cluster) => topicByName(cluster, "orders")?.partitions.map(({ leader, leaderEpoch }) => [leader as number, leaderEpoch])

describe("RegisterBroker", () => {
  test("a new broker is fenced, and its epoch is the journal index of its registration", () => {
    const cluster = given(Command.FoundCluster({ clusterId: "c" }), register(1))
    expect(brokerOf(cluster, 1)).toMatchObject({ epoch: 1, fenced: true })
  })
  test("a host, rack or incarnation id with control characters is refused", () => {
    const from = (more: { readonly host?: string; readonly rack?: string; readonly incarnationId?: string }) =>
      Command.RegisterBroker({ brokerId: 1, incarnationId: "i", clusterId: "", host: "h", port: 1, rack: null, isConnected: false, ...more })
    expect(refused(up(0), from({}))).toBe("allowed")
    expect(refused(up(0), from({ host: "münchen.example" }))).toBe("allowed")
    for (const bad of ["a\u001b[2J", "a\nb", "a\u202eb", "\u2028"])
      expect([refused(up(0), from({ host: bad })), refused(up(0), from({ rack: bad })), refused(up(0), from({ incarnationId: bad }))]).toEqual(
        Array.from({ length: 3 }, () => "INVALID_REGISTRATION")
      )
  })
  test("when the response was lost and the broker registers again, then no event", () => expect(tags(up(1), register(1))).toEqual([]))
  test("given an unfenced broker, when another process registers its id, then DUPLICATE_BROKER_REGISTRATION", () =>
    expect(refused(up(1), register(1, "another", 9999))).toBe("DUPLICATE_BROKER_REGISTRATION"))
  test("given an unfenced broker, when a new process registers from its address, then the old one is fenced and the new one has a newer epoch", () => {
    const events = eventsOf(orders, register(1, "after kill -9"))
    expect(events.map((event) => event._tag)).toEqual(["BrokerFenced", "BrokerRegistered"])
    const after = fold(evolve, orders, events)
    expect(brokerOf(after, 1)?.epoch).toBe(after.index - 1)
    expect(leaders(after)).toEqual([
      [-1, 1],
      [-1, 1]
    ])
  })
  test("given a leader, then only the broker at the leader's address can register its id, and does so at once", () => {
    const elect = Command.ElectLeader({ nodeId: 1 as BrokerId, host: "127.0.0.1", port: 9999, epoch: 2 })
    const elected = afterCommands(orders, elect)
    expect(refused(elected, register(1, "elsewhere", 9998))).toBe("DUPLICATE_BROKER_REGISTRATION")
    expect(tags(elected, register(1, "in the leader's process", 9999)).at(-1)).toBe("BrokerRegistered")
  })
  test("given a fenced broker, when another process registers its id, then it is registered", () => {
    const fenced = afterCommands(orders, heartbeat(1, { wantShutDown: true })(orders))
    expect(tags(fenced, register(1, "another", 9999))).toEqual(["BrokerRegistered"])
  })
  test.each([
    [{ clusterId: "another" }, "INCONSISTENT_CLUSTER_ID"],
    [{ clusterId: "cluster-1" }, "allowed"],
    [{ host: "" }, "INVALID_REGISTRATION"],
    [{ port: 0 }, "INVALID_REGISTRATION"],
    [{ port: 65_536 }, "INVALID_REGISTRATION"],
    [{ brokerId: -1 }, "INVALID_REGISTRATION"],
    [{ host: "h".repeat(256) }, "INVALID_REGISTRATION"]
  ])("%j: %s", (more, error) => expect(refused(up(1), { ...(register(2) as Extract<Command, { _tag: "RegisterBroker" }>), ...more })).toBe(error))
})

describe("RegisterBroker of connected brokers", () => {
  const elsewhere = (isConnected: boolean) => register(1, "another", 9999, isConnected)
  const sameAddress = (isConnected: boolean) => register(1, "another", 9001, isConnected)
  const fenced = afterCommands(orders, heartbeat(1, { wantShutDown: true })(orders))
  test.each([
    ["it is unfenced", orders, "DUPLICATE_BROKER_REGISTRATION"],
    ["it is fenced and has partitions", fenced, "DUPLICATE_BROKER_REGISTRATION"],
    ["it is fenced and has no partitions", given(register(1)), "allowed"]
  ])("given a connected broker, when another process registers its id, and %s: %3$s", (_, cluster, answer) =>
    expect([refused(cluster, elsewhere(true)), refused(cluster, sameAddress(true))]).toEqual([answer, answer])
  )
  test("given a connected broker, when it registers again, then its registration is unchanged", () =>
    expect(tags(orders, register(1, undefined, undefined, true))).toEqual([]))
  test("given a connected broker, when it registers from another address, then it gets a new registration", () =>
    expect(tags(orders, register(1, undefined, 9999, true))).toEqual(["BrokerFenced", "BrokerRegistered"]))
})

describe("the bound of registered brokers", () => {
  const ghosts = given(...Array.from({ length: brokersMax }, (_, n) => register(n, "ghost", 9000)))
  test("given the most registrations, when another broker registers, then the oldest without partitions is unregistered", () => {
    const after = afterCommands(ghosts, register(5000))
    expect([HashMap.size(after.brokers), brokerOf(after, 0), brokerOf(after, 5000)?.epoch]).toEqual([brokersMax, undefined, after.index - 1])
  })
  test("an unfenced broker is unregistered only where all are unfenced, and one with partitions never", () => {
    const served = given(Command.FoundCluster({ clusterId: "c" }), register(0), heartbeat(0), addTopic("orders"), ...brokers(1), register(brokersMax - 1))
    const once = afterCommands(served, register(5000))
    expect([brokerOf(once, brokersMax - 1), brokerOf(once, 1)?.fenced]).toEqual([undefined, false])
    const unfenced = afterCommands(once, heartbeat(5000)(once))
    const twice = afterCommands(unfenced, register(5001))
    expect([brokerOf(twice, 1), brokerOf(twice, 0)?.fenced]).toEqual([undefined, false])
  })
  const brokers = (from: number) => Array.from({ length: brokersMax - 1 - from }, (_, n) => [register(from + n), heartbeat(from + n)]).flat()
  test("given that all brokers have partitions, then one more is refused", () => {
    const full = given(Command.FoundCluster({ clusterId: "c" }), ...brokers(0), register(brokersMax - 1), heartbeat(brokersMax - 1))
    const busy = afterCommands(full, addTopic("orders", { partitionCount: brokersMax }))
    expect(refused(busy, register(5000))).toBe("INVALID_REGISTRATION")
  })
})

describe("removed brokers", () => {
  const fenced = afterCommands(orders, heartbeat(1, { wantShutDown: true })(orders))
  const forget = (cluster: Cluster) => Command.ForgetBroker({ brokerId: 1 as BrokerId, brokerEpoch: brokerOf(cluster, 1)?.epoch as number })
  test("a fenced broker without partitions is unregistered; one that is unfenced, has partitions or has registered again is not", () => {
    const idle = given(register(1))
    expect(tags(idle, forget(idle))).toEqual(["BrokerRemoved"])
    expect([tags(orders, forget(orders)), tags(fenced, forget(fenced))]).toEqual([[], []])
    const again = afterCommands(idle, register(1, "second"))
    expect(tags(again, forget(idle))).toEqual([])
  })
  test("given an unregistered broker with partitions, then it keeps them, and serves them when it registers again", () => {
    const gone = afterCommands(orders, Command.UnregisterBroker({ brokerId: 1 }))
    expect([brokerOf(gone, 1), leaders(gone)]).toEqual([
      undefined,
      [
        [-1, 1],
        [-1, 1]
      ]
    ])
    const registered = afterCommands(gone, register(1, "second"))
    const back = afterCommands(registered, heartbeat(1)(registered))
    expect(leaders(back)).toEqual([
      [1, 2],
      [1, 2]
    ])
  })
  test("unknown broker: BROKER_ID_NOT_REGISTERED", () => expect(refused(orders, Command.UnregisterBroker({ brokerId: 7 }))).toBe("BROKER_ID_NOT_REGISTERED"))
})

describe("BrokerHeartbeat", () => {
  test("a broker that has not replayed its registration stays fenced; one that has is unfenced", () => {
    const cluster = given(register(1))
    expect(tags(cluster, heartbeat(1, { metadataOffset: -1 })(cluster))).toEqual([])
    expect(tags(cluster, heartbeat(1, { metadataOffset: 0 })(cluster))).toEqual(["BrokerUnfenced"])
  })
  test("a heartbeat of an unfenced broker gives no event", () => expect(tags(orders, heartbeat(1)(orders))).toEqual([]))
  test("when it shuts down, then its partitions lose their leader; when it restarts, then it leads them again, under newer epochs", () => {
    const down = afterCommands(orders, heartbeat(1, { wantShutDown: true })(orders))
    expect(leaders(down)).toEqual([
      [-1, 1],
      [-1, 1]
    ])
    const registered = afterCommands(down, register(1, "second"))
    const back = afterCommands(registered, heartbeat(1)(registered))
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
    expect(leaders(afterCommands(orders, Command.FenceBroker({ brokerId: 1 as BrokerId, brokerEpoch: epoch })))).toEqual([
      [-1, 1],
      [-1, 1]
    ]))
  test("fencing and unfencing take one event each, whatever number of partitions the broker leads", () => {
    const wide = afterCommands(orders, addTopic("wide", { topicId: topicId(2), partitionCount: 10_000 }))
    const fenced = afterCommands(wide, Command.FenceBroker({ brokerId: 1 as BrokerId, brokerEpoch: epoch }))
    const back = afterCommands(fenced, heartbeat(1)(fenced))
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
