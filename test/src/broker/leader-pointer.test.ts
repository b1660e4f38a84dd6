import { expect, test } from "bun:test"
import { Clock, Context, Effect, Exit, Layer, Logger, LogLevel, Schedule, Scope } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { LeaderContact } from "../../../src/broker/leader-contact.ts"
import { LeaderPointer } from "../../../src/broker/leader-pointer.ts"
import type { Address } from "../../../src/ports/transport.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListGroups } from "../../../src/protocol/message/16-list-groups.ts"
import { route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"
import { layerContact } from "./link-support.ts"

const at = (host: string): Address => ({ host, port: 9092 })
const served = { requestBytesMax: 100_000, connectionsMax: 100, inFlightRequestsMax: 64, writeBufferBytesMax: 100_000 }

/** A candidate as it answers a first Fetch: it leads under an epoch, or stands by and names a leader. */
class ScriptedCandidate {
  /** The epoch under which it leads; undefined: it stands by. */
  leads: number | undefined
  names: { readonly epoch: number; readonly host: string } | undefined
  /** Its process is stopped: it accepts connections and requests, and answers nothing. */
  isPaused = false
  heartbeats = 0
  readonly epochsAsked: Array<number> = []

  constructor(readonly host: string) {}

  start(network: MemoryNetwork) {
    const or = <A>(answer: () => A) => Effect.suspend(() => (this.isPaused ? Effect.never : Effect.sync(answer)))
    const routes = [
      route(Fetch, {}, (request) => or(() => this.fetched(request.topics[0]?.partitions[0]?.currentLeaderEpoch ?? -1))),
      // In place of a heartbeat, which only a registered broker may send.
      route(ListGroups, {}, () =>
        or(() => {
          this.heartbeats += 1
          return { errorCode: 0, groups: [] }
        })
      )
    ]
    return Effect.provide(serve(at(this.host), routes, served), network.layer(this.host))
  }
  private fetched(asked: number) {
    this.epochsAsked.push(asked)
    const { leads, names } = this
    const error: KafkaError =
      leads === undefined ? "NOT_LEADER_OR_FOLLOWER" : leads === asked ? "NONE" : leads > asked ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH"
    const leader = leads !== undefined ? { epoch: leads, host: this.host } : names
    const moved = error === "NONE" || leader === undefined ? {} : { currentLeader: { leaderId: 7, leaderEpoch: leader.epoch } }
    const partition = { partitionIndex: 0, errorCode: errorCode(error), highWatermark: -1n, abortedTransactions: null, records: null, ...moved }
    return {
      errorCode: 0,
      sessionId: 0,
      responses: [{ topic: "__cluster_metadata", topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partitions: [partition] }],
      nodeEndpoints: leader === undefined ? [] : [{ nodeId: 7, ...at(leader.host), rack: null }]
    }
  }
}

type World = {
  readonly contact: LeaderContact["Type"]
  readonly network: MemoryNetwork
  readonly lines: ReadonlyArray<string>
  readonly a: ScriptedCandidate
  readonly b: ScriptedCandidate
  readonly c: ScriptedCandidate
}

/** Runs `use` in virtual time with the contact of a broker that knows the candidates a, b and c. */
const withCandidates = <A>(use: (world: World) => Effect.Effect<A, unknown, Scope.Scope>) => {
  const network = new MemoryNetwork()
  const [a, b, c] = [new ScriptedCandidate("a"), new ScriptedCandidate("b"), new ScriptedCandidate("c")]
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (LogLevel.greaterThanEqual(logLevel, LogLevel.Info) && lines.push(String(message))))
  const program = Effect.gen(function* () {
    const services = yield* Layer.build(Layer.provide(layerContact(at("a"), {}, [at("b"), at("c")]), network.layer("broker")))
    return yield* use({ contact: Context.get(services, LeaderContact), network, lines, a, b, c })
  })
  return new VirtualClock().run(Effect.orDie(Effect.scoped(program).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))))
}

/** Sends heartbeats to the leader as a registration does. */
const beating = ({ contact }: World) =>
  Effect.forkScoped(contact.keep("registration", (link) => Effect.forever(Effect.zipRight(link.call(ListGroups, {}), Effect.sleep(500)))))
const until = (what: string, holds: () => boolean) =>
  Effect.retry(
    Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error(`not in a minute: ${what}`)))),
    Schedule.intersect(Schedule.spaced(10), Schedule.recurs(6000))
  )

test("a broker follows the leader that a standby names, with the epoch of its first Fetch", () =>
  withCandidates((world) =>
    Effect.gen(function* () {
      const { a, b, c, contact, network } = world
      b.leads = 5
      a.names = c.names = { epoch: 5, host: "b" }
      for (const each of [a, b, c]) yield* each.start(network)
      yield* beating(world)
      yield* until("b has heartbeats", () => b.heartbeats > 0)
      expect(contact.leader()).toEqual(at("b"))
      expect([a.heartbeats, c.heartbeats]).toEqual([0, 0])
      yield* contact.openAsBroker("relay")
      expect(b.epochsAsked.at(-1)).toBe(5)
    })
  ))

test("M4: a paused leader is left for its successor before its requests time out, and is refused by name when it continues under its older epoch", () =>
  withCandidates((world) =>
    Effect.gen(function* () {
      const { a, b, c, contact, lines, network } = world
      a.leads = 4
      b.names = c.names = { epoch: 4, host: "a" }
      for (const each of [a, c]) yield* each.start(network)
      const scopeOfB = yield* Scope.make()
      yield* Scope.extend(b.start(network), scopeOfB)
      yield* beating(world)
      yield* until("a has heartbeats", () => a.heartbeats > 3)
      const relayed = yield* contact.openAsBroker("relay")

      a.isPaused = true
      // The lease runs out.
      yield* Effect.sleep("4 seconds")
      expect(contact.leader()).toEqual(at("a"))
      const electedAt = yield* Clock.currentTimeMillis
      b.leads = 5
      c.names = { epoch: 5, host: "b" }
      const lost = yield* Effect.flip(relayed.call(ListGroups, {}))
      expect(lost.message).toContain("this broker takes b:9092 for the leader")
      yield* until("b has heartbeats", () => b.heartbeats > 0)
      expect((yield* Clock.currentTimeMillis) - electedAt).toBeLessThan(1000)

      // The former leader continues, and the successor is gone: a still names itself.
      const before = a.heartbeats
      a.isPaused = false
      c.names = { epoch: 4, host: "a" }
      yield* Scope.close(scopeOfB, Exit.void)
      yield* Effect.sleep("20 seconds")
      expect(a.heartbeats).toBeLessThanOrEqual(before + 1)
      expect(lines).toContain("The node at a:9092 answers as a leader of an older epoch than 5, which this broker has seen: nothing of it is used.")
      expect(a.epochsAsked.at(-1)).toBe(5)
      // It is elected again.
      a.leads = 6
      const from = a.heartbeats
      yield* until("a has heartbeats again", () => a.heartbeats > from)
    })
  ))

test("a leader that is slow and has no successor is kept", () =>
  withCandidates((world) =>
    Effect.gen(function* () {
      const { a, b, c, contact, network } = world
      a.leads = 4
      b.names = c.names = { epoch: 4, host: "a" }
      for (const each of [a, b, c]) yield* each.start(network)
      yield* beating(world)
      yield* until("a has heartbeats", () => a.heartbeats > 0)
      const relayed = yield* contact.openAsBroker("relay")
      a.isPaused = true
      yield* Effect.sleep("5 seconds")
      a.isPaused = false
      expect([contact.leader(), relayed.isOpen()]).toEqual([at("a"), true])
    })
  ))

test("the pointer follows no older epoch, and no leader twice that cannot be reached, until another is elected", () => {
  const pointer = new LeaderPointer([at("a"), at("b")])
  pointer.follow({ epoch: 3, address: at("c") })
  expect(pointer.current).toEqual(at("c"))
  pointer.follow({ epoch: 2, address: at("b") })
  expect(pointer.current).toEqual(at("c"))
  pointer.leave(at("c"))
  expect(pointer.current).toEqual(at("b"))
  pointer.follow({ epoch: 3, address: at("c") })
  expect(pointer.current).toEqual(at("b"))
  pointer.follow({ epoch: 4, address: at("c") })
  expect([pointer.current, pointer.epoch]).toEqual([at("c"), 4])
  pointer.learn(3)
  expect(pointer.epoch).toBe(4)
})
