import { expect, test } from "bun:test"
import { Effect } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"
import type { Epoch } from "../../../domain/kernel/id.ts"
import { Candidates } from "../../../src/leader/candidates/candidates.ts"
import type { LeaderContext } from "../../../src/leader/context.ts"
import { controllerRegistration } from "../../../src/leader/handler/70-controller-registration.ts"
import { reporting } from "../../../src/leader/standby/reports.ts"
import { Envelope } from "../../../src/protocol/message/58-envelope.ts"
import { route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"

const served = { requestBytesMax: 100_000, connectionsMax: 100, inFlightRequestsMax: 64, writeBufferBytesMax: 100_000 }
const leader = { nodeId: 100, host: "leader", port: 9092, epoch: 1 as Epoch }
const cluster = { ...initial, leader } as unknown as Cluster
const self = { nodeId: 101, listeners: [], responseBytesMax: 100_000 }
const request = { requestData: new Uint8Array(0), requestPrincipal: null, clientHostAddress: new Uint8Array(4) }

/** A leader that takes 20 s for an Envelope. */
const slowLeader = (clock: VirtualClock) => [
  controllerRegistration({ nodeId: 100, candidates: new Candidates(clock, () => cluster) } as unknown as LeaderContext["Type"]),
  route(Envelope, { unordered: true, takesCandidates: true }, () => Effect.delay(Effect.succeed({ responseData: null, errorCode: 0 }), 20_000))
]

test("reports continue while the leader is slow with what a standby relays, and the link stays open", () => {
  const clock = new VirtualClock()
  const network = new MemoryNetwork()
  return clock.run(
    Effect.gen(function* () {
      yield* Effect.provide(serve({ host: "leader", port: 9092 }, slowLeader(clock), served), network.layer("leader"))
      let reports = 0
      const reported = Effect.sync(() => void reports++)
      const { leader: linked } = yield* Effect.provide(reporting({ state: () => cluster, end: () => 0 }, { ...self, reported }), network.layer("standby"))
      yield* Effect.sleep(1500)
      const link = linked()
      expect(link).toBeDefined()
      const call = () => link?.call(Envelope, request, { timeoutMs: 30_000 }) ?? Effect.die("no link")
      const before = reports
      expect(yield* Effect.all([call(), call()], { concurrency: 2 })).toMatchObject([{ errorCode: 0 }, { errorCode: 0 }])
      expect(reports - before).toBeGreaterThanOrEqual(18)
    }).pipe(Effect.scoped)
  )
})

test("a leader is gone when it has taken a report and its address refuses connections; one that never took a report is not", () => {
  const clock = new VirtualClock()
  const network = new MemoryNetwork()
  return clock.run(
    Effect.gen(function* () {
      const isGone = (reports: { readonly gone: (epoch: Epoch) => Effect.Effect<void> }) =>
        Effect.map(Effect.timeoutOption(reports.gone(leader.epoch), 10_000), ({ _tag }) => _tag === "Some")
      const start = Effect.provide(reporting({ state: () => cluster, end: () => 0 }, { ...self, reported: Effect.void }), network.layer("standby"))
      // Its address refuses connections from the beginning.
      expect(yield* isGone(yield* start)).toBe(false)
      yield* Effect.provide(serve({ host: "leader", port: 9092 }, slowLeader(clock), served), network.layer("leader"))
      const reports = yield* start
      yield* Effect.sleep(2000)
      expect(yield* isGone(reports)).toBe(false)
      network.crash("leader")
      expect(yield* isGone(reports)).toBe(true)
    }).pipe(Effect.scoped)
  )
})
