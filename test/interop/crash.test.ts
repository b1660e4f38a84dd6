import { expect, test } from "bun:test"
import { join } from "node:path"
import { Effect, Either, Exit, Fiber } from "effect"
import { freePort } from "../../scripts/bench/port.ts"
import { Admin, Consumer, Producer, type ProducerService } from "../../src/programs/library.ts"
import { franz, franzDoes, type Node, ready } from "./support/franz.ts"
import { linesOf } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

/** How often all processes are killed; the printed seed determines the random waits between the kills. */
const rounds = Number(process.env.FRANZ_CRASH_ROUNDS ?? 10)
const topic = "acks"

/** A leader and a broker in separate processes, on fixed ports. */
class Processes {
  leader: Node | undefined
  broker: Node | undefined
  constructor(private readonly data: string) {}

  async start(): Promise<string> {
    const port = async (node: Node | undefined) => String(node?.port ?? (await freePort()))
    this.leader = await ready(franz("brokerlead", "--port", await port(this.leader), "--data", join(this.data, "leader")))
    const words = ["--id", "1", "--port", await port(this.broker), "--leader", this.leader.address]
    this.broker = await ready(franz("broker", ...words, "--data", join(this.data, "broker")))
    return this.leader.address
  }
  async kill(): Promise<void> {
    await Promise.all([this.leader?.process.kill(), this.broker?.process.kill()])
  }
}

/** Sends numbered messages one after the other, and records the position of each acknowledged one. */
const write = (producer: ProducerService, acked: Map<string, string>, running: () => boolean) =>
  Effect.gen(function* () {
    for (let number = 0; running(); number++) {
      const value = `m-${number}`
      const sent = yield* Effect.either(producer.sendMessage(topic, value, { key: `k-${number % 50}` }))
      if (Either.isRight(sent)) acked.set(value, `${sent.right.partition}@${sent.right.offset}`)
      if (number % 20 === 0) yield* Effect.yieldNow()
    }
  })

const groupOffsets = (leader: string, group: string) =>
  Effect.scoped(Effect.flatMap(Admin.make({ leader }), (admin) => admin.describeGroup(group))).pipe(
    Effect.map(({ offsets }) => new Map(offsets.map(({ committed, partition }) => [partition, committed])))
  )

/** A member joins, reads some records, commits and leaves; the group's committed offsets must survive. */
const commitSome = (leader: string, group: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const consumer = yield* Consumer.make({ leader, from: "earliest", commitIntervalMs: "never" })
      yield* consumer.joinConsumerGroup(group)
      yield* consumer.subscribe(topic)
      for (let polled = 0; polled < 20; ) polled += (yield* consumer.poll({ maxRecords: 50, timeoutMs: 1000 })).length
      yield* consumer.poll({ maxRecords: 1, timeoutMs: 0 })
      yield* consumer.commit
    })
  ).pipe(Effect.zipRight(groupOffsets(leader, group)))

test(`L1, L4, G4: kill -9 of every process under load, ${rounds} times: every acknowledged record is stored once, and every committed offset is kept`, async () => {
  const seed = Number(process.env.FRANZ_SEED ?? Date.now() % 100_000)
  console.log(`crash test: seed ${seed}`)
  let state = seed
  const draw = (below: number) => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) % below
  const data = temporaryDirectory()
  const processes = new Processes(data.path)
  const leader = await processes.start()
  await franzDoes(["topic", "create", topic, "--partitions", "4", "--leader", leader])
  const acked = new Map<string, string>()
  let running = true
  const writing = Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 300_000, retryTimeoutMs: 300_000, requestTimeoutMs: 5000 })
      yield* Effect.all(Array.from({ length: 1 }, () => write(producer, acked, () => running)))
    })
  )
  const writer = Effect.runFork(writing)

  for (let round = 0; round < rounds; round++) {
    const before = acked.size
    const committed = await Effect.runPromise(commitSome(leader, "readers").pipe(Effect.timeout("120 seconds")))
    await Bun.sleep(draw(400))
    await processes.kill()
    await processes.start()
    expect(await Effect.runPromise(groupOffsets(leader, "readers").pipe(Effect.timeout("120 seconds")))).toEqual(committed)
    await until("messages are acknowledged", () => acked.size > before, 300_000)
  }
  running = false
  const exit = await Effect.runPromise(Fiber.await(writer))
  expect(Exit.isSuccess(exit)).toBe(true)

  const found = new Map<string, Array<string>>()
  for (const line of linesOf(await franzDoes(["consume", topic, "--from", "start", "--exit-at-end", "--json", "--leader", leader]))) {
    const { offset, partition, value } = JSON.parse(line) as { partition: number; offset: number; value: string }
    found.set(value, [...(found.get(value) ?? []), `${partition}@${offset}`])
  }
  const wrong = [...acked]
    .filter(([value, place]) => found.get(value)?.join() !== place)
    .map(([value, place]) => `${value} acked at ${place}, found at ${found.get(value)}`)
  console.log(`crash test: ${acked.size} acknowledged messages, ${rounds} kills`)
  expect(wrong).toEqual([])
  await processes.kill()
  data.remove()
}, 900_000)
