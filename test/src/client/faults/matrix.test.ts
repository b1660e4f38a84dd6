import { describe, expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import { layerTypescript as checksum } from "../../../../adapters/checksum/checksum.ts"
import { layerTypescript as compression } from "../../../../adapters/compression/compression.ts"
import { type Fault, FaultSwitch } from "../../../../scripts/torture-client/fault-switch.ts"
import { faults } from "../../../../scripts/torture-client/faults.ts"
import { type Form, type Outcome, runCase } from "../../../../scripts/torture-client/matrix.ts"
import { type Operation, operations } from "../../../../scripts/torture-client/operations.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, type RealCluster, withCluster } from "../real-cluster.ts"
import { faultyTransport } from "./faulty-transport.ts"

const topic = "orders"
/** The network takes some milliseconds for a packet, in virtual time. */
const slackMs = 100

/** Every text of the topic, in no order. */
const readAll = Effect.scoped(
  Effect.gen(function* () {
    const consumer = yield* Consumer.make({ leader })
    yield* consumer.assign([0, 1].map((partition) => ({ topic, partition, at: "earliest" as const })))
    const texts: Array<string> = []
    for (let idle = 0; idle < 3; ) {
      const read = yield* consumer.poll({ timeoutMs: 500 })
      idle = read.length === 0 ? idle + 1 : 0
      for (const { text } of read) texts.push(text)
    }
    return texts
  })
)

/** The nodes of this cluster have no metrics. */
const wanted = operations.filter(({ name }) => name !== "admin.metrics")

/** Runs every operation under the fault, each with clients on a host of its own. Returns the outcomes, and the texts that were confirmed. */
const runAll = (cluster: RealCluster, fault: Fault, form: Form) =>
  Effect.gen(function* () {
    const stored: Array<string> = []
    const run = (operation: Operation, nth: number): Effect.Effect<Outcome> => {
      const own = new FaultSwitch()
      const host = `client${nth}-${form}`
      let names = 0
      const site = { leader, topic, unique: () => `${host}-${names++}`, stored: (text: string) => void stored.push(text) }
      const ports = Layer.mergeAll(faultyTransport(own, cluster.network.layer(host)), checksum, compression)
      return Effect.provide(runCase({ operation, fault, form, site, faults: own, slackMs }), ports)
    }
    return { outcomes: yield* Effect.forEach(wanted, run, { concurrency: "unbounded" }), stored }
  })

describe("every public call, in virtual time", () => {
  for (const fault of faults)
    test(`${fault.name}: it ends within its bound, works again after it, and nothing confirmed is lost`, () =>
      withCluster((cluster) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const producer = yield* Producer.make({ leader })
              yield* producer.addTopic(topic, { partitions: 2 })
              for (const partition of [0, 1]) yield* producer.sendMessage(topic, `seed ${partition}`, { partition })
            })
          )
          const stored: Array<string> = []
          // A fault that a call survives is of interest while it lasts.
          const forms: ReadonlyArray<Form> = fault.harmless === true ? ["lasting"] : ["once", "lasting"]
          for (const form of forms) {
            const ran = yield* runAll(cluster, fault, form)
            expect(ran.outcomes.flatMap(({ complaints, operation }) => complaints.map((complaint) => `${operation}, ${form}: ${complaint}`))).toEqual([])
            // Some calls need no node, or not the APIs of the fault.
            expect(ran.outcomes.filter(({ strikes }) => strikes > 0).length).toBeGreaterThan(wanted.length / 4)
            stored.push(...ran.stored)
          }
          const read = yield* readAll
          expect(stored.filter((text) => !read.includes(text))).toEqual([])
          expect(read.length).toBe(new Set(read).size)
        })
      ))
})
