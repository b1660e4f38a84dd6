import { describe, expect, test } from "bun:test"
import { Cause, Effect, Exit, type Scope, Stream } from "effect"
import fc from "fast-check"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { clusterEvents } from "../../../../src/client/consumer/cluster-events.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { deadLetter } from "../../../../src/client/consumer/typed/dead-letter.ts"
import { records, recordsEither } from "../../../../src/client/consumer/typed/records.ts"
import { worker } from "../../../../src/client/consumer/typed/worker.ts"
import { Producer, send } from "../../../../src/client/producer/producer.ts"
import type { Transport } from "../../../../src/ports/transport.ts"
import { leader, withFake } from "../support.ts"

const numRuns = Number(process.env.FRANZ_RUNS ?? 30)

/** A public function, called as JavaScript calls it. */
interface PublicCall {
  readonly name: string
  readonly call: (...args: ReadonlyArray<unknown>) => unknown
}
type Services = readonly [Producer["Type"], Consumer["Type"], Admin["Type"]]

/** Every function of the services, so that a new one cannot be without checks, and those outside of a service. */
const publicCalls = (services: Services): ReadonlyArray<PublicCall> => {
  const [producer, consumer] = services
  const ofServices = services.flatMap((service) =>
    Object.entries(service).flatMap(([name, member]) => (typeof member === "function" ? [{ name, call: member as PublicCall["call"] }] : []))
  )
  const alone = [
    { name: "clusterEvents", call: clusterEvents as unknown as PublicCall["call"] },
    { name: "records", call: (...args) => Stream.provideService((records as PublicCall["call"])(...args) as Stream.Stream<unknown>, Consumer, consumer) },
    {
      name: "recordsEither",
      call: (...args) => Stream.provideService((recordsEither as PublicCall["call"])(...args) as Stream.Stream<unknown>, Consumer, consumer)
    },
    {
      name: "worker",
      call: (...args) =>
        Effect.provideService((worker as PublicCall["call"])(...args) as Effect.Effect<unknown, unknown, Consumer | Producer>, Consumer, consumer).pipe(
          Effect.provideService(Producer, producer)
        )
    },
    {
      name: "deadLetter",
      call: (...args) =>
        Effect.provideService((deadLetter as (topic: unknown) => PublicCall["call"])(args[0])(...args) as Effect.Effect<unknown>, Producer, producer)
    },
    { name: "send", call: (...args) => Effect.provideService((send as PublicCall["call"])(...args) as Effect.Effect<unknown>, Producer, producer) }
  ] satisfies ReadonlyArray<PublicCall>
  return [...ofServices, ...alone]
}

/** Calls, and runs what the call returned: an effect, or a stream to its end. */
const runCall = ({ call }: PublicCall, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown, Transport | Scope.Scope> =>
  Effect.suspend(() => {
    const made = call(...args)
    const run = Effect.isEffect(made) ? made : Stream.runDrain(made as Stream.Stream<unknown, unknown>)
    return run as Effect.Effect<unknown, unknown, Transport | Scope.Scope>
  })

const connection = { leader, retryTimeoutMs: 300, unknownTopicTimeoutMs: 50 }
const makeServices = Effect.all([
  Producer.make({ ...connection, deliveryTimeoutMs: 5000, createTopics: false }),
  Consumer.make(connection),
  Admin.make(connection)
])

const wrongValues = [Symbol("wrong"), Number.NaN, 1.5, 10n, new Date(0), new Map([["a", 1]])]

describe("every public function", () => {
  test("refuses a wrong first argument with InvalidArgument that names the call, and the calls after it work", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const services = yield* makeServices
        const calls = publicCalls(services)
        expect(calls.length).toBeGreaterThan(25)
        for (const one of calls)
          for (const wrong of wrongValues) {
            const exit = yield* Effect.exit(runCall(one, [wrong]))
            const failure = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : undefined
            expect([one.name, String(wrong), exit._tag, failure]).toMatchObject([
              one.name,
              String(wrong),
              "Failure",
              { _tag: "Some", value: { _tag: "InvalidArgument", call: one.name } }
            ])
          }
        expect(yield* services[0].sendMessage("orders", "after all")).toMatchObject({ offset: 0 })
      })
    ))

  const anything = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom<unknown>("orders", 0, undefined, null, {}, [], ...wrongValues) },
    { weight: 1, arbitrary: fc.anything({ withBigInt: true, withDate: true, withMap: true }) }
  )
  const calledWith = fc.array(fc.tuple(fc.nat(), fc.array(anything, { maxLength: 4 })), { minLength: 1, maxLength: 15 })

  test(
    "ends with a value or a typed error, whatever its arguments are, and never by a defect",
    () =>
      fc.assert(
        fc.asyncProperty(calledWith, (asked) =>
          withFake((fake) =>
            Effect.gen(function* () {
              fake.add("orders", 1)
              // A call may delete "orders"; it does not know the name of this one.
              fake.add("kept", 1)
              const services = yield* makeServices
              const calls = publicCalls(services)
              for (const [nth, args] of asked) {
                const one = calls[nth % calls.length]
                if (one === undefined) continue
                // A stream of events may be valid, and has no end then.
                const exit = yield* Effect.exit(Effect.timeoutOption(runCall(one, args), 60_000))
                const defects = Exit.isFailure(exit) && !Cause.isFailure(exit.cause) ? Cause.pretty(exit.cause) : undefined
                expect([one.name, defects]).toEqual([one.name, undefined])
              }
              const sent = yield* services[0].sendMessage("kept", "after all")
              expect(fake.texts("kept", 0)[sent.offset]).toBe("after all")
            })
          )
        ),
        { numRuns }
      ),
    300_000 + numRuns * 500
  )
})
