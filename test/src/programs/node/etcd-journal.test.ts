import { expect, test } from "bun:test"
import { Context, Effect, Fiber, Layer, Logger, LogLevel, type Scope, Stream } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { SimulatedEtcd } from "../../../../adapters/journal/etcd/simulated.ts"
import { clusterStream } from "../../../../src/leader/journal/cluster-aggregate.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { sameCluster } from "../../../../src/programs/node/etcd-journal.ts"
import { process, processLayer } from "../../../adapters/journal/etcd/support.ts"

const prefix = "/franz"
const entry = {
  type: "ClusterFounded",
  value: new TextEncoder().encode(JSON.stringify({ v: 1, clusterId: "ours" })),
  commandId: "1",
  actor: "leader",
  cause: "first start"
}

const founded = Effect.fnUntraced(function* (etcd: SimulatedEtcd) {
  const journal = yield* process(etcd.client("a"), prefix)
  const { epoch } = yield* journal.campaign(clusterStream, { nodeId: 1 })
  yield* journal.append(clusterStream, epoch, 0, [entry as never])
})

const inVirtualTime = <A>(use: (lines: ReadonlyArray<string>) => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning) && lines.push(String(message))))
  return new VirtualClock().run(Effect.scoped(use(lines)).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger))))
}

test("an etcd that is slow is named, and is waited for: its journal is not taken for an empty one", () =>
  inVirtualTime((lines) =>
    Effect.gen(function* () {
      const etcd = new SimulatedEtcd()
      yield* Effect.scoped(founded(etcd))
      const client = etcd.client("b")
      const journal = Context.get(yield* Layer.build(processLayer(client, prefix)), Journal)
      // Its watch and its reads of entries bring nothing.
      let isSlow = true
      const slowJournal: typeof journal = { ...journal, follow: (stream, from) => Stream.suspend(() => journal.follow(stream, isSlow ? 1000 : from)) }
      const asked = yield* Effect.fork(sameCluster(slowJournal, client, { known: "ours", prefix }))
      yield* Effect.sleep("12 seconds")
      expect(lines.join("\n")).toContain("did not give its first entry within 10 s: etcd is slow")
      isSlow = false
      yield* Fiber.join(asked)
    })
  ))

test("an etcd without a majority is waited for; an empty journal and that of another cluster are refused", () =>
  inVirtualTime((lines) =>
    Effect.gen(function* () {
      const etcd = new SimulatedEtcd()
      const client = etcd.client("b")
      const journal = Context.get(yield* Layer.build(processLayer(client, prefix)), Journal)
      expect((yield* Effect.flip(sameCluster(journal, client, { known: "ours", prefix }))).message).toContain("has no journal")
      yield* Effect.scoped(founded(etcd))
      expect((yield* Effect.flip(sameCluster(journal, client, { known: "other", prefix }))).message).toContain("has the journal of cluster ours")
      etcd.hasQuorum = false
      const asked = yield* Effect.fork(sameCluster(journal, client, { known: "ours", prefix }))
      yield* Effect.sleep("20 seconds")
      expect(lines.filter((line) => line.startsWith("Waiting for the journal")).length).toBeGreaterThan(1)
      etcd.hasQuorum = true
      yield* Fiber.join(asked)
    })
  ))
