import { Admin, Consumer, Producer } from "comanche-franz"
import { Cause, Config, Effect, Exit, Fiber, Layer } from "effect"
import { Bills, billing } from "./billing.ts"
import { intake } from "./intake.ts"
import { createTopics } from "./orders.ts"

const leader = Config.string("KAFKA_ADDRESSES").pipe(Config.withDefault("127.0.0.1:9092"))
const clientId = Config.succeed("orders-service")

const clients = Layer.mergeAll(
  Admin.layerConfig({ leader, clientId }),
  Producer.layerConfig({ leader, clientId, deliveryTimeoutMs: Config.succeed(10_000), requestTimeoutMs: Config.succeed(3000) }),
  Consumer.layerConfig({ leader, clientId, from: Config.succeed("earliest" as const) })
)

const service = Effect.gen(function* () {
  yield* createTopics
  const port = yield* intake(yield* Config.integer("PORT").pipe(Config.withDefault(8080)))
  yield* Effect.log(`listening on http://127.0.0.1:${port}/orders`)
  yield* billing
}).pipe(Effect.scoped, Effect.provide(Layer.merge(clients, Bills.layerMemory)))

const running = Effect.runFork(Effect.tapErrorCause(service, Effect.logError))
// The worker commits and leaves its group, the producer sends what it has, and then the process ends.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => Effect.runFork(Fiber.interrupt(running)))
running.addObserver((exit) => {
  process.exitCode = Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause) ? 0 : 1
})
