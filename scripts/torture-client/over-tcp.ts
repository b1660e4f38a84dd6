import { Effect } from "effect"
import { Admin, Consumer, Producer } from "../../src/programs/library.ts"
import { platform } from "../../src/programs/platform.ts"
import { type Fault, FaultSwitch } from "./fault-switch.ts"
import { type Form, type Outcome, runCase } from "./matrix.ts"
import type { Operation } from "./operations.ts"
import { TcpProxy } from "./proxy.ts"

const topic = "torture"
const partitions = 2
/** Cases that run at the same time. */
const concurrency = 16

/** Every text of the topic. */
const readAll = (leader: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const admin = yield* Admin.make({ leader })
      const consumer = yield* Consumer.make({ leader })
      const described = yield* admin.describeTopic(topic)
      yield* consumer.assign(described.partitions.map(({ partition }) => ({ topic, partition, at: "earliest" as const })))
      const ends = new Map(described.partitions.map(({ end = 0, partition }) => [partition, end]))
      const texts: Array<string> = []
      for (;;) {
        for (const { text } of yield* consumer.poll({ timeoutMs: 200 })) texts.push(text)
        const positions = yield* consumer.positions
        if (positions.length === ends.size && positions.every(({ offset, partition }) => offset >= (ends.get(partition) ?? 0))) return texts
      }
    })
  )

interface Round {
  readonly leader: string
  readonly operations: ReadonlyArray<Operation>
  readonly faults: ReadonlyArray<Fault>
  readonly forms: ReadonlyArray<Form>
  /** How much longer than its bound a call may take on this machine, ms. */
  readonly slackMs: number
  readonly isPatient?: boolean
}
interface RoundReport {
  readonly outcomes: ReadonlyArray<Outcome>
  readonly confirmed: number
  /** Confirmed, and not in the topic. */
  readonly lost: number
  /** Twice in the topic. */
  readonly twice: number
}

/** Runs operations under faults at a cluster, each with a TCP proxy of its own. */
export const runOverTcp = async ({ faults, forms, isPatient = false, leader, operations, slackMs }: Round): Promise<RoundReport> => {
  const prepare = Effect.scoped(
    Effect.gen(function* () {
      const admin = yield* Admin.make({ leader })
      const producer = yield* Producer.make({ leader })
      yield* Effect.catchTag(admin.addTopic(topic, { partitions }), "TopicExists", () => Effect.void)
      for (let partition = 0; partition < partitions; partition++)
        yield* producer.sendMessage(topic, `seed ${partition} ${process.hrtime.bigint()}`, { partition })
      return (yield* admin.describeCluster).nodes
    })
  )
  const nodes = await Effect.runPromise(prepare)
  const confirmed: Array<string> = []
  const run = (operation: Operation, fault: Fault, form: Form) =>
    Effect.gen(function* () {
      const own = new FaultSwitch()
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => TcpProxy.start(nodes, own)),
        (open) => Effect.sync(() => open.close())
      )
      let names = 0
      const prefix = `case-${process.hrtime.bigint()}`
      const site = { leader: proxy.addresses, topic, unique: () => `${prefix}-${names++}`, stored: (text: string) => void confirmed.push(text) }
      return yield* runCase({ operation, fault, form, site, faults: own, slackMs, isPatient })
    }).pipe(Effect.scoped, Effect.provide(platform))
  const cases = faults.flatMap((fault) => forms.flatMap((form) => operations.map((operation) => run(operation, fault, form))))
  const outcomes = await Effect.runPromise(Effect.all(cases, { concurrency }))
  const read = await Effect.runPromise(readAll(leader))
  const there = new Set(read)
  return { outcomes, confirmed: confirmed.length, lost: confirmed.filter((text) => !there.has(text)).length, twice: read.length - there.size }
}
