import assert from "node:assert/strict"
import { test } from "node:test"
import { Admin, Consumer, originHeaders, Producer } from "comanche-franz"
import { TestCluster } from "comanche-franz/testing"
import { Effect, Fiber, Layer } from "effect"
import { Bills, billing } from "../src/billing.ts"
import { intake } from "../src/intake.ts"
import { createTopics, deadLetterTopic } from "../src/orders.ts"

const clients = Layer.unwrapEffect(
  Effect.map(TestCluster, ({ bootstrap }) => {
    const options = { leader: bootstrap }
    return Layer.mergeAll(Admin.layer(options), Producer.layer(options), Consumer.layer({ ...options, from: "earliest" }))
  })
)
const everything = Layer.merge(clients, Bills.layerMemory).pipe(Layer.provideMerge(TestCluster.layer()))

const post = (port: number, body: string) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/orders`, { method: "POST", body })
    return { status: response.status, text: await response.text() }
  })

test("orders are stored, billed, refused or put aside", async () => {
  const program = Effect.gen(function* () {
    yield* createTopics
    const port = yield* intake(0)
    const stored = yield* post(port, '{"id":"o-1","customer":"ann","cents":4200}')
    assert.equal(stored.status, 202)
    assert.match(stored.text, /^stored as orders-\d@0\n$/)
    const wrong = yield* post(port, '{"id":"o-2","customer":"ann"}')
    assert.equal(wrong.status, 400)
    assert.match(wrong.text, /cents/)
    assert.equal((yield* post(port, '{"id":"o-3","customer":"bob","cents":-1}')).status, 202)

    const running = yield* Effect.fork(billing)
    const { bootstrap } = yield* TestCluster
    const dead = yield* Consumer.make({ leader: bootstrap })
    yield* dead.assign([0, 1, 2].map((partition) => ({ topic: deadLetterTopic, partition, at: "earliest" as const })))
    const aside = yield* Effect.repeat(dead.next, { until: (record) => record !== undefined })
    assert.equal(aside?.keyText, "bob")
    assert.equal(aside?.headerText(originHeaders.reason), "the card of bob was refused")
    assert.equal(aside?.headerText(originHeaders.attempts), "3")

    const { billed } = yield* Bills
    yield* Effect.repeat(Effect.zipRight(Effect.sleep(10), billed), { until: (bills) => bills.size === 1 })
    assert.deepEqual([...(yield* billed)], [["o-1", 4200]])
    yield* Fiber.interrupt(running)
  })
  await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(everything)))
})
