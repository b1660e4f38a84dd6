import { Effect } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import { Consumer } from "../../client/consumer/consumer.ts"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import type { ConsumerService } from "../../client/consumer/service.ts"
import { orSay } from "../client/failure.ts"
import { connection, firstContact, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { bold, dim, print } from "../shell/screen.ts"
import { noArgument } from "../shell/spec.ts"
import { runSession, usageFailure, type Verb } from "./session.ts"
import { listTopicsVerb, said, topicNames } from "./topics.ts"

/** How long a poll waits for the first message, unless it is told otherwise: longer than a new group takes to share out its partitions. */
const pollSeconds = 5
const pollSecondsMax = 3600

/** What the session knows of itself. */
interface Self {
  readonly consumer: ConsumerService
  readonly admin: AdminService
  group: string | undefined
}

const unknownTopic = "listTopics shows what there is. Topics are made by a producer: addTopic TOPIC."
const notYet = (message: string, hint: string) => Effect.fail(new CliFailure({ exit: "refused", message, hint }))
const subscribedTo = (topics: ReadonlyArray<string>): string => (topics.length === 0 ? "subscribed to nothing" : `subscribed to ${topics.join(", ")}`)

const join = (self: Self): Verb<never> => ({
  names: ["joinConsumerGroup", "join"],
  usage: "joinConsumerGroup GROUP",
  help: "Becomes a member of a group. Each message goes to one member of it.",
  run: ([group, ...more]) => {
    if (group === undefined || more.length > 0) return usageFailure("joinConsumerGroup GROUP, e.g. joinConsumerGroup billing")
    if (self.group !== undefined) return notYet(`You are in the group ${self.group}.`, "leaveConsumerGroup first.")
    return said(
      Effect.gen(function* () {
        yield* self.consumer.joinConsumerGroup(group)
        self.group = group
        const topics = yield* self.consumer.subscription
        print(`in the group ${group}, ${topics.length === 0 ? "now subscribe TOPIC" : subscribedTo(topics)}`)
      }),
      unknownTopic
    )
  }
})

const leave = (self: Self): Verb<never> => ({
  names: ["leaveConsumerGroup", "leave"],
  usage: "leaveConsumerGroup",
  help: "Leaves it; its other members get your partitions.",
  run: () =>
    Effect.gen(function* () {
      const { group } = self
      if (group === undefined) return print("You are in no group.")
      yield* self.consumer.leaveConsumerGroup
      self.group = undefined
      print(`left the group ${group}`)
    })
})

const subscribe = (self: Self): Verb<never> => ({
  names: ["subscribe", "sub"],
  usage: "subscribe TOPIC…",
  help: "From now on you get what comes to these topics.",
  complete: () => topicNames(self.admin),
  run: (topics) => {
    if (topics.length === 0) return usageFailure("subscribe TOPIC…, e.g. subscribe orders")
    if (self.group === undefined)
      return notYet("A consumer must be in a consumer group before it subscribes.", "joinConsumerGroup GROUP first, e.g. joinConsumerGroup billing.")
    return said(
      Effect.gen(function* () {
        yield* self.consumer.subscribe(...topics)
        print(`${subscribedTo(yield* self.consumer.subscription)}; poll shows what comes from now on`)
      }),
      unknownTopic
    )
  }
})

const unsubscribe = (self: Self): Verb<never> => ({
  names: ["unsubscribe", "unsub"],
  usage: "unsubscribe [TOPIC…]",
  help: "Ends the subscription to these topics, or to all.",
  complete: () => self.consumer.subscription,
  run: (words) =>
    said(
      Effect.gen(function* () {
        const before = yield* self.consumer.subscription
        const unknown = words.find((topic) => !before.includes(topic))
        if (unknown !== undefined) return yield* notYet(`You are not subscribed to ${unknown}.`, `You are ${subscribedTo(before)}.`)
        yield* self.consumer.unsubscribe(...(words.length === 0 ? before : words))
        print(subscribedTo(yield* self.consumer.subscription))
      }),
      unknownTopic
    )
})

const show = (record: ConsumedRecord): void => {
  const place = dim(`${record.topic}-${record.partition}@${record.offset}`)
  print(`${place}  ${record.keyText === null ? "" : `${bold(record.keyText)}: `}${record.value === null ? dim("(null)") : record.text}`)
}

const poll = (self: Self): Verb<never> => ({
  names: ["poll"],
  usage: "poll [SECONDS]",
  help: `Shows what came, or waits for it up to ${pollSeconds} seconds.`,
  run: ([word, ...more]) => {
    const seconds = word === undefined ? pollSeconds : Number(word)
    if (more.length > 0 || !(seconds >= 0 && seconds <= pollSecondsMax)) return usageFailure(`poll [SECONDS], from 0 to ${pollSecondsMax}`)
    if (self.group === undefined) return notYet("You are in no group.", "joinConsumerGroup GROUP, then subscribe TOPIC.")
    return said(
      Effect.gen(function* () {
        if ((yield* self.consumer.subscription).length === 0) return yield* notYet("You have subscribed to nothing.", "subscribe TOPIC, e.g. subscribe orders.")
        const records = yield* self.consumer.poll({ timeoutMs: Math.round(seconds * 1000) })
        for (const record of records) show(record)
        if (records.length > 0) return yield* self.consumer.commit
        const places = yield* self.consumer.positions
        print(
          dim(
            places.length === 0 ? "nothing: no partition is yours at present (the group shares them out, or has more members than partitions)" : "nothing new"
          )
        )
      }),
      unknownTopic
    )
  }
})

const status = (self: Self): Verb<never> => ({
  names: ["status"],
  usage: "status",
  help: "Your group, topics and partitions.",
  run: () =>
    Effect.gen(function* () {
      print(self.group === undefined ? "in no group" : `in the group ${self.group}`)
      print(subscribedTo(yield* self.consumer.subscription))
      for (const { offset, partition, topic } of yield* self.consumer.positions) print(`${topic}-${partition}, next ${topic}-${partition}@${offset}`)
    })
})

/** The interactive consumer: a session in which a person is a member of a group. It heartbeats while the person thinks. */
export const consumerCommand = (path = "consumer") =>
  command({
    path,
    summary: "an interactive consumer: join a group, subscribe, poll",
    example: [`${path === "" ? "franz-consumer" : "franz consumer"} --leader 127.0.0.1:9092`],
    options: leaderOption,
    argument: noArgument,
    run: (words) =>
      untilStopped(
        Effect.scoped(
          Effect.gen(function* () {
            const options = connection(words, "consumer")
            yield* firstContact(options)
            const admin = yield* orSay(Admin.make({ ...options, retryTimeoutMs: 5000 }))
            const consumer = yield* orSay(Consumer.make({ ...options, retryTimeoutMs: 10_000, unknownTopicTimeoutMs: 1000 }))
            const self: Self = { admin, consumer, group: undefined }
            yield* runSession({
              name: "consumer",
              greeting: [
                `Consumer on the cluster at ${options.leader}.`,
                dim("First: joinConsumerGroup billing     Then: subscribe orders     Then: poll, as often as you like"),
                ""
              ],
              verbs: [
                join(self),
                leave(self),
                subscribe(self),
                unsubscribe(self),
                poll(self),
                status(self),
                listTopicsVerb(admin, "No topics yet. A producer makes them: franz producer.")
              ]
            })
          })
        )
      )
  })
