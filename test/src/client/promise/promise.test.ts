import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect, Metric, Schema } from "effect"
import { connectionOf } from "../../../../src/client/promise/options.ts"
import {
  Closed,
  type ConsumedRecord,
  type Consumer,
  type ConsumerEvent,
  connect,
  diagnose,
  InvalidArgument,
  type SaslOptions,
  Topic,
  TopicExists,
  UnknownTopic
} from "../../../../src/programs/promise.ts"
import { ClusterFailure, startCluster, TestCluster } from "../../../../src/programs/testing.ts"

const caught = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  return undefined
}
/** Polls until so many messages are there. */
const read = async (consumer: Consumer, count: number): Promise<ReadonlyArray<string>> => {
  const texts: Array<string> = []
  while (texts.length < count) texts.push(...(await consumer.poll()).map(({ text }) => text))
  return texts
}

describe("the library with promises", () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>
  const unhandled: Array<unknown> = []
  const note = (reason: unknown) => unhandled.push(reason)
  beforeAll(async () => {
    process.on("unhandledRejection", note)
    cluster = await startCluster({ brokers: 1 })
  })
  afterAll(async () => {
    await cluster.close()
    process.off("unhandledRejection", note)
    expect(unhandled).toEqual([])
  })
  const leader = () => cluster.bootstrap

  test("topics, messages and a poll, and a commit that the next member continues at", async () => {
    await using client = await connect({ leader: leader() })
    expect(await client.addTopic("orders", { partitions: 1 })).toMatchObject({ topic: "orders", partitions: 1 })
    const producer = await client.producer()
    expect(await producer.sendMessage("orders", "first", { key: "a", headers: { by: "test" } })).toMatchObject({ partition: 0, offset: 0 })
    const reports = await producer.sendBatch("orders", [{ value: "second" }, { value: "third", partition: 7 }])
    expect(reports.map(({ status }) => status)).toEqual(["fulfilled", "rejected"])
    expect(reports[1]).toMatchObject({ reason: { _tag: "UnknownPartition" } })
    const settled: Array<string> = []
    await producer.sendMessages("orders", [{ value: "fourth" }], (index, report) => settled.push(`${index} ${report.status}`))
    await producer.flush()
    expect(settled).toEqual(["0 fulfilled"])

    const first = await client.consumer({ from: "earliest" })
    await first.joinConsumerGroup("billing")
    await first.subscribe("orders")
    expect(await first.subscription()).toEqual(["orders"])
    const [record] = await first.poll({ maxRecords: 1, timeoutMs: 60_000 })
    expect([record?.text, record?.keyText, record?.headerText("by")]).toEqual(["first", "a", "test"])
    await first.commit()
    expect(await read(first, 2)).toEqual(["second", "fourth"])
    // Not committed: close does not take the messages of the last poll for processed.
    await first.close()

    const second = await client.consumer({ from: "earliest" })
    await second.joinConsumerGroup("billing")
    await second.subscribe("orders")
    expect(await read(second, 2)).toEqual(["second", "fourth"])
    await second.leaveConsumerGroup()
    expect(await client.admin.groupOffsets("billing")).toMatchObject([{ topic: "orders", partition: 0, offset: 3 }])
  })

  test("run handles each message, and its abort commits what was handled", async () => {
    await using client = await connect({ leader: leader() })
    await client.addTopic("jobs", { partitions: 2 })
    const producer = await client.producer()
    const consumer = await client.consumer()
    const events: Array<ConsumerEvent["_tag"]> = []
    const seen = (async () => {
      for await (const { _tag } of consumer.events()) events.push(_tag)
    })()
    const scopes: Array<string> = []
    await consumer.joinConsumerGroup("workers", {
      onAssigned: ({ partition }) => {
        scopes.push(`+${partition}`)
        return () => scopes.push(`-${partition}`)
      }
    })
    await consumer.subscribe("jobs")
    await producer.sendBatch(
      "jobs",
      Array.from({ length: 20 }, (_, at) => ({ value: `job ${at}`, partition: at % 2 }))
    )
    const stop = new AbortController()
    const handled: Array<string> = []
    await consumer.run(
      async (record, { signal }) => {
        expect(signal.aborted).toBe(false)
        handled.push(record.text)
        if (handled.length === 20) stop.abort()
      },
      { concurrency: 2, signal: stop.signal }
    )
    expect(new Set(handled).size).toBe(20)
    const { offsets } = await client.admin.describeGroup("workers")
    expect(offsets.map(({ lag }) => lag)).toEqual([0, 0])
    await consumer.close()
    await seen
    expect(events).toContain("PartitionsAssigned")
    expect(events).toContain("OffsetsCommitted")
    expect(scopes.toSorted()).toEqual(["+0", "+1", "-0", "-1"])
  })

  test("a handler's failure ends run with its own error, and reaches onError", async () => {
    const errors: Array<Error> = []
    await using client = await connect({ leader: leader(), onError: (error) => errors.push(error), log: () => {} })
    await client.addTopic("bad-jobs", { partitions: 1 })
    const consumer = await client.consumer({ from: "earliest" })
    await consumer.assign([{ topic: "bad-jobs", partition: 0, at: "earliest" }])
    await (await client.producer()).sendMessage("bad-jobs", "x")
    const refused = new Error("the card is refused")
    // Neither awaited nor caught: no unhandled rejection.
    const run = consumer.run(() => {
      throw refused
    })
    while (errors.length === 0) await consumer.positions()
    expect(errors).toEqual([refused])
    expect(await caught(run)).toBe(refused)
  })

  test("records delivers a message again whose loop was left, and ends with the consumer", async () => {
    await using client = await connect({ leader: leader() })
    await client.addTopic("clicks", { partitions: 1 })
    const producer = await client.producer()
    await producer.sendBatch("clicks", [{ value: "1" }, { value: "2" }, { value: "3" }])
    const group = async (take: (consumer: Consumer, record: ConsumedRecord) => Promise<boolean>) => {
      const consumer = await client.consumer({ from: "earliest" })
      await consumer.joinConsumerGroup("clickers")
      await consumer.subscribe("clicks")
      for await (const record of consumer.records()) if (await take(consumer, record)) break
      await consumer.close()
    }
    const texts: Array<string> = []
    await group(async (_, { text }) => texts.push(text) === 2)
    await group(async (consumer, { text }) => {
      texts.push(text)
      if (text === "3") void consumer.close()
      return false
    })
    expect(texts).toEqual(["1", "2", "2", "3"])
  })

  test("a worker retries, puts aside what it cannot handle with a line in the log, and ends by its signal", async () => {
    const lines: Array<string> = []
    await using client = await connect({ leader: leader(), log: ({ message }) => lines.push(message) })
    for (const topic of ["tasks", "tasks.dead"]) await client.addTopic(topic, { partitions: 1 })
    const jobs = Topic.make("tasks", { key: Schema.String, value: Schema.Struct({ n: Schema.Number }) })
    const producer = await client.producer()
    await producer.send(jobs, "a", { n: 1 })
    await producer.sendMessage("tasks", "not JSON", { key: "b" })
    await producer.send(jobs, "c", { n: 3 })
    const handled: Array<number> = []
    const stop = new AbortController()
    const work = client.worker(
      jobs,
      async ({ value }) => {
        handled.push(value.n)
        if (value.n === 3) throw new Error("three is refused")
      },
      { group: "task-workers", deadLetter: "tasks.dead", retries: { attempts: 2, delayMs: 1 }, signal: stop.signal }
    )
    const consumer = await client.consumer({ from: "earliest" })
    await consumer.assign([{ topic: "tasks.dead", partition: 0, at: "earliest" }])
    const dead: Array<ConsumedRecord> = []
    while (dead.length < 2) dead.push(...(await consumer.poll()))
    stop.abort()
    await work
    expect(handled).toEqual([1, 3, 3])
    expect(dead.map((record) => [record.text, record.headerText("origin.offset"), record.headerText("failure.attempts")])).toEqual([
      ["not JSON", "1", "1"],
      ['{"n":3}', "2", "2"]
    ])
    const aside = lines.filter((line) => line.includes("put aside"))
    expect(aside[1]).toBe("tasks-0@2 was put aside to tasks.dead-0@1 after 2 attempts: Error: three is refused")
    expect(aside.length).toBe(2)
    expect(await producer.deadLetter("tasks.dead", dead[0] as ConsumedRecord, "again")).toMatchObject({ topic: "tasks.dead", offset: 2 })
    expect(await caught(client.worker(jobs, undefined as never, { group: "g", deadLetter: "d" }))).toBeInstanceOf(InvalidArgument)
  })

  test("pause, resume, seek, positions and lag of assigned partitions", async () => {
    await using client = await connect({ leader: leader() })
    await client.addTopic("places", { partitions: 1 })
    await (await client.producer()).sendBatch("places", [{ value: "0" }, { value: "1" }, { value: "2" }])
    const consumer = await client.consumer()
    const partition = { topic: "places", partition: 0 }
    await consumer.assign([{ ...partition, at: "earliest" }])
    expect(await read(consumer, 3)).toEqual(["0", "1", "2"])
    expect(await consumer.seek("places", 0, 1)).toBe(true)
    expect(await consumer.lag()).toMatchObject([{ offset: 1, end: 3, lag: 2 }])
    await consumer.pause(partition)
    expect(await consumer.poll({ timeoutMs: 1 })).toEqual([])
    await consumer.resume(partition)
    expect(await read(consumer, 2)).toEqual(["1", "2"])
    expect(await consumer.seek("places", 0, "latest")).toBe(true)
    expect(await consumer.positions()).toEqual([{ ...partition, offset: 3 }])
    expect(await consumer.offsets([{ ...partition, at: "earliest" }])).toEqual([{ ...partition, offset: 0 }])
  })

  test("errors are the library's: an Error with a tag", async () => {
    await using client = await connect({ leader: leader(), unknownTopicTimeoutMs: 1 })
    await client.addTopic("once", { partitions: 1 })
    const exists = await caught(client.addTopic("once"))
    expect(exists).toBeInstanceOf(Error)
    expect(exists).toBeInstanceOf(TopicExists)
    expect(exists).toMatchObject({ _tag: "TopicExists", topic: "once", retriable: false })
    expect((exists as Error).message).toContain("'once'")
    expect(await caught(client.removeTopic("never"))).toBeInstanceOf(UnknownTopic)
    expect(await caught(client.addTopic("two words"))).toMatchObject({ _tag: expect.stringMatching(/^Invalid/) })
    const consumer = await client.consumer()
    // As a JavaScript program calls it.
    expect(await caught(consumer.run("no function" as never))).toBeInstanceOf(InvalidArgument)
    expect(await caught(consumer.run(() => {}, null as never))).toBeInstanceOf(InvalidArgument)
    expect(await caught(consumer.joinConsumerGroup("g", { onAssigned: 1 } as never))).toBeInstanceOf(InvalidArgument)
    expect(await caught(connect({ leader: leader(), onError: 1 } as never))).toBeInstanceOf(InvalidArgument)
    expect(await caught(connect(undefined as never))).toBeInstanceOf(InvalidArgument)
    expect(await caught(connect({ leader: "nowhere" }))).toMatchObject({ _tag: "InvalidAddress" })
    expect(() => consumer.withSignal("soon" as never)).toThrow("AbortSignal")
  })

  test("an abort ends a call with its reason", async () => {
    await using client = await connect({ leader: leader() })
    await client.addTopic("silent", { partitions: 1 })
    const consumer = await client.consumer()
    await consumer.assign([{ topic: "silent", partition: 0, at: "earliest" }])
    const abort = new AbortController()
    const polls = consumer.withSignal(abort.signal).poll({ timeoutMs: 100_000 })
    abort.abort(new Error("enough"))
    expect(await caught(polls)).toEqual(new Error("enough"))
    expect(await caught(consumer.withSignal(AbortSignal.abort()).poll())).toMatchObject({ name: "AbortError" })
    expect(await caught(client.producer({}, { signal: AbortSignal.abort() }))).toMatchObject({ name: "AbortError" })
    expect(await caught(client.admin.withSignal(AbortSignal.abort()).listTopics())).toMatchObject({ name: "AbortError" })
    // The call ended, not the consumer.
    await (await client.producer()).sendMessage("silent", "x")
    expect(await read(consumer, 1)).toEqual(["x"])
  })

  test("the calls for one message start no fiber, have typed errors, and end when the producer closes", async () => {
    await using client = await connect({ leader: leader(), closeTimeoutMs: 100 })
    await client.addTopic("singles", { partitions: 1 })
    const singles = Topic.make("singles", { key: Schema.String, value: Schema.Struct({ n: Schema.Number }) })
    const elsewhere = Topic.make("singles-elsewhere", { value: Schema.String })
    const producer = await client.producer({ createTopics: false })
    await producer.sendMessage("singles", "first")
    const started = () => Effect.runSync(Metric.value(Metric.fiberStarted)).count
    const before = started()
    const calls = Array.from({ length: 20_000 }, (_, n) => (n % 2 === 0 ? producer.sendMessage("singles", `${n}`) : producer.send(singles, "key", { n })))
    // Nothing else ran meanwhile. The measurement itself is a fiber.
    expect(started() - before).toBe(1)
    const sent = await Promise.all(calls)
    // The client's requests and the cluster, which shares this process, start some: far fewer than there are messages, however long they take.
    expect(started() - before).toBeLessThan(calls.length / 2)
    expect(sent.map(({ offset }) => offset)).toEqual(calls.map((_, n) => n + 1))

    const tagOf = async (call: Promise<unknown>) => ((await caught(call)) as { readonly _tag?: string } | undefined)?._tag
    expect(await tagOf(producer.sendMessage("singles", undefined as never))).toBe("InvalidArgument")
    expect(await tagOf(producer.sendMessage("singles", "x", null as never))).toBe("InvalidArgument")
    expect(await tagOf(producer.sendMessage("singles", "x", { partition: 7 }))).toBe("UnknownPartition")
    expect(await tagOf(producer.send(singles, "key", { n: "one" } as never))).toBe("ParseError")
    expect(await tagOf(producer.send(undefined as never, "key", 1))).toBe("InvalidArgument")
    const reason = new Error("given up")
    expect(await caught(producer.withSignal(AbortSignal.abort(reason)).sendMessage("singles", "x"))).toBe(reason)
    const waiting = [producer.sendMessage("singles-elsewhere", "x"), producer.send(elsewhere, null, "x")].map(tagOf)
    await producer.close()
    expect(await Promise.all(waiting)).toEqual(["Closed", "Closed"])
    expect(await tagOf(producer.sendMessage("singles", "x"))).toBe("Closed")
  })

  test("close ends what runs, and later calls reject with Closed", async () => {
    const client = await connect({ leader: leader() })
    await client.addTopic("closing", { partitions: 1 })
    const [producer, consumer] = [await client.producer(), await client.consumer()]
    await consumer.assign([{ topic: "closing", partition: 0, at: "earliest" }])
    const poll = consumer.poll({ timeoutMs: 100_000 })
    const sent = producer.sendMessage("closing", "before")
    const events = consumer.events()
    const next = events.next()
    const [closing, failed] = [Promise.all([client.close(), client.close()]), caught(poll)]
    expect(await sent).toMatchObject({ offset: 0 })
    await closing
    // The poll had the message, or the consumer closed before it came.
    const error = await failed
    if (error !== undefined) expect(error).toBeInstanceOf(Closed)
    expect(await next).toEqual({ done: true, value: undefined })
    for (const call of [producer.flush(), consumer.commit(), consumer.run(() => {}), client.admin.listGroups(), client.producer()])
      expect(await caught(call)).toBeInstanceOf(Closed)
    expect(await consumer.events().next()).toEqual({ done: true, value: undefined })
  })

  test("every call of the admin is there, with plain results", async () => {
    await using client = await connect({ leader: leader() })
    const { admin } = client
    const created = await admin.createTopics([
      { topic: "both", partitions: 1 },
      { topic: "both-2", partitions: 1 }
    ])
    expect(created.map(({ item, result }) => `${item} ${result.status}`)).toEqual(["both fulfilled", "both-2 fulfilled"])
    const [again] = await admin.createTopics([{ topic: "both", partitions: 1 }])
    expect(again?.result).toMatchObject({ status: "rejected", reason: { _tag: "KafkaFailure", error: "TOPIC_ALREADY_EXISTS" } })
    expect((await admin.listTopics()).map(({ name }) => name)).toContain("both")
    expect((await admin.describeCluster()).nodes).toHaveLength(1)
    expect((await admin.listBrokers())[0]).toMatchObject({ id: expect.any(Number) })
    expect((await admin.describeTopic("both")).partitions).toHaveLength(1)
    await admin.configureTopic("both", { set: { "retention.ms": "1000" } })
    expect((await admin.topicConfigs("both")).find(({ name }) => name === "retention.ms")).toMatchObject({ value: "1000", isOwn: true })
    expect(await admin.deleteTopics(["both", "both-2"])).toMatchObject([{ result: { status: "fulfilled" } }, { result: { status: "fulfilled" } }])
  })

  test("typed topics", async () => {
    await using client = await connect({ leader: leader() })
    const users = Topic.make("users", { key: Schema.String, value: Schema.Struct({ name: Schema.String }) })
    await client.addTopic("users", { partitions: 1 })
    const producer = await client.producer()
    expect(await producer.send(users, "u-1", { name: "Ann" })).toMatchObject({ offset: 0 })
    expect(await caught(producer.send(users, "u-1", { name: 1 } as never))).toMatchObject({ _tag: "ParseError" })
  })

  test("a test cluster without Effect", async () => {
    await using other = await TestCluster.start({ config: { "num.partitions": 2 } })
    await using client = await connect({ leader: other.bootstrap })
    expect(await client.addTopic("defaults")).toMatchObject({ partitions: 2 })
    const failure = await caught(startCluster({ config: { "num.partitoins": 2 } as never }))
    expect(failure).toBeInstanceOf(ClusterFailure)
    expect((failure as Error).message).toContain("num.partitions")
    expect(await caught(startCluster({}, { signal: AbortSignal.abort() }))).toMatchObject({ name: "AbortError" })
  })

  test("TLS and a token are those of the library", async () => {
    // The cluster speaks no TLS.
    expect(await caught(connect({ leader: leader(), tls: true, connectTimeoutMs: 5000, retryTimeoutMs: 5000 }))).toMatchObject({ _tag: "TlsFailed" })
    const sasl = (token: () => unknown) => ({ leader: leader(), sasl: { mechanism: "OAUTHBEARER", token } as SaslOptions })
    const { sasl: options } = connectionOf(sasl(async () => ({ value: "t-1" })))
    expect(options?.mechanism === "OAUTHBEARER" && (await Effect.runPromise(options.token))).toEqual({ value: "t-1" })
    const thrown = connectionOf(
      sasl(() => {
        throw new Error("no token")
      })
    ).sasl
    expect(thrown?.mechanism === "OAUTHBEARER" && (await Effect.runPromise(Effect.flip(thrown.token)))).toEqual(new Error("no token"))
    expect(await caught(connect(sasl("t-1" as never)))).toBeInstanceOf(InvalidArgument)
    // A node that has no SASL refuses the client: no call of it goes through without it.
    expect(await caught(connect(sasl(async () => ({ value: "t-1" }))))).toMatchObject({
      _tag: expect.stringMatching(/AuthenticationFailed|UnsupportedByCluster/)
    })
  })

  test("diagnose says what is wrong", async () => {
    expect(await diagnose({ leader: leader() })).toMatchObject({ findings: expect.any(Array) })
    expect(await caught(diagnose({ leader: leader() }, { signal: AbortSignal.abort() }))).toMatchObject({ name: "AbortError" })
  })
})
