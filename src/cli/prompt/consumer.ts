import { Effect } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import { Consumer } from "../../client/consumer/consumer.ts"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import type { ConsumerService } from "../../client/consumer/service.ts"
import { mapClientErrors } from "../client/failure.ts"
import { connection, firstContact, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { bold, dim, print } from "../shell/screen.ts"
import { noArgument } from "../shell/spec.ts"
import { runSession, usageFailure, type Verb } from "./session.ts"
import { listTopicsVerb, mapSessionErrors, topicNames } from "./topics.ts"

/** The default timeout of a poll: longer than the first rebalance of a group. */
const pollSeconds = 5
const pollSecondsMax = 3600

/** The state of the session. */
interface SessionState {
  readonly consumer: ConsumerService
  readonly admin: AdminService
  group: string | undefined
}

const unknownTopic = "listTopics lists the topics. addTopic TOPIC in franz producer creates one."
const notYet = (message: string, hint: string) => Effect.fail(new CliFailure({ exit: "refused", message, hint }))
const subscribedTo = (topics: ReadonlyArray<string>): string => (topics.length === 0 ? "no subscription" : `subscribed to ${topics.join(", ")}`)

const join = (state: SessionState): Verb<never> => ({
  names: ["joinConsumerGroup", "join"],
  usage: "joinConsumerGroup GROUP",
  help: "Joins a group. Each message goes to one of its members.",
  run: ([group, ...more]) => {
    if (group === undefined || more.length > 0) return usageFailure("joinConsumerGroup GROUP, e.g. joinConsumerGroup billing")
    if (state.group !== undefined) return notYet(`This consumer is in the group ${state.group}.`, "leaveConsumerGroup first.")
    return mapSessionErrors(
      Effect.gen(function* () {
        yield* state.consumer.joinConsumerGroup(group)
        state.group = group
        const topics = yield* state.consumer.subscription
        print(`in the group ${group}, ${topics.length === 0 ? "next: subscribe TOPIC" : subscribedTo(topics)}`)
      }),
      unknownTopic
    )
  }
})

const leave = (state: SessionState): Verb<never> => ({
  names: ["leaveConsumerGroup", "leave"],
  usage: "leaveConsumerGroup",
  help: "Leaves the group, which assigns the partitions to other members.",
  run: () =>
    Effect.gen(function* () {
      const { group } = state
      if (group === undefined) return print("This consumer is in no group.")
      yield* state.consumer.leaveConsumerGroup
      state.group = undefined
      print(`left the group ${group}`)
    })
})

const subscribe = (state: SessionState): Verb<never> => ({
  names: ["subscribe", "sub"],
  usage: "subscribe TOPIC…",
  help: "Subscribes to the new messages of these topics.",
  complete: () => topicNames(state.admin),
  run: (topics) => {
    if (topics.length === 0) return usageFailure("subscribe TOPIC…, e.g. subscribe orders")
    if (state.group === undefined)
      return notYet("A consumer must be in a consumer group before it subscribes.", "joinConsumerGroup GROUP first, e.g. joinConsumerGroup billing.")
    return mapSessionErrors(
      Effect.gen(function* () {
        yield* state.consumer.subscribe(...topics)
        print(`${subscribedTo(yield* state.consumer.subscription)}; poll prints new messages`)
      }),
      unknownTopic
    )
  }
})

const unsubscribe = (state: SessionState): Verb<never> => ({
  names: ["unsubscribe", "unsub"],
  usage: "unsubscribe [TOPIC…]",
  help: "Ends the subscription to these topics, or to all.",
  complete: () => state.consumer.subscription,
  run: (words) =>
    mapSessionErrors(
      Effect.gen(function* () {
        const before = yield* state.consumer.subscription
        const unknown = words.find((topic) => !before.includes(topic))
        if (unknown !== undefined) return yield* notYet(`This consumer is not subscribed to ${unknown}.`, `Its state: ${subscribedTo(before)}.`)
        yield* state.consumer.unsubscribe(...(words.length === 0 ? before : words))
        print(subscribedTo(yield* state.consumer.subscription))
      }),
      unknownTopic
    )
})

const show = (record: ConsumedRecord): void => {
  const position = dim(`${record.topic}-${record.partition}@${record.offset}`)
  print(`${position}  ${record.keyText === null ? "" : `${bold(record.keyText)}: `}${record.value === null ? dim("(null)") : record.text}`)
}

const poll = (state: SessionState): Verb<never> => ({
  names: ["poll"],
  usage: "poll [SECONDS]",
  help: `Prints new messages; waits up to ${pollSeconds} seconds for the first.`,
  run: ([word, ...more]) => {
    const seconds = word === undefined ? pollSeconds : Number(word)
    if (more.length > 0 || !(seconds >= 0 && seconds <= pollSecondsMax)) return usageFailure(`poll [SECONDS], from 0 to ${pollSecondsMax}`)
    if (state.group === undefined) return notYet("This consumer is in no group.", "joinConsumerGroup GROUP, then subscribe TOPIC.")
    return mapSessionErrors(
      Effect.gen(function* () {
        if ((yield* state.consumer.subscription).length === 0)
          return yield* notYet("This consumer has no subscription.", "subscribe TOPIC, e.g. subscribe orders.")
        const records = yield* state.consumer.poll({ timeoutMs: Math.round(seconds * 1000) })
        for (const record of records) show(record)
        if (records.length > 0) return yield* state.consumer.commit
        const positions = yield* state.consumer.positions
        print(
          dim(
            positions.length === 0
              ? "no messages: the group has assigned no partition to this member (it rebalances, or has more members than partitions)"
              : "no new messages"
          )
        )
      }),
      unknownTopic
    )
  }
})

const status = (state: SessionState): Verb<never> => ({
  names: ["status"],
  usage: "status",
  help: "Prints the group, the subscription and the partitions.",
  run: () =>
    Effect.gen(function* () {
      print(state.group === undefined ? "in no group" : `in the group ${state.group}`)
      print(subscribedTo(yield* state.consumer.subscription))
      for (const { offset, partition, topic } of yield* state.consumer.positions) print(`${topic}-${partition}, next ${topic}-${partition}@${offset}`)
    })
})

/** The interactive consumer: a session that is a member of a group. It sends heartbeats while it waits for commands. */
export const consumerCommand = (path = "consumer") =>
  command({
    path,
    summary: "run an interactive consumer: join a group, subscribe, poll",
    example: [`${path === "" ? "franz-consumer" : "franz consumer"} --leader 127.0.0.1:9092`],
    options: leaderOption,
    argument: noArgument,
    run: (words) =>
      untilStopped(
        Effect.scoped(
          Effect.gen(function* () {
            const options = yield* connection(words, "consumer")
            yield* firstContact(options)
            const admin = yield* mapClientErrors(Admin.make({ ...options, retryTimeoutMs: 5000 }))
            const consumer = yield* mapClientErrors(Consumer.make({ ...options, retryTimeoutMs: 10_000, unknownTopicTimeoutMs: 1000 }))
            const state: SessionState = { admin, consumer, group: undefined }
            yield* runSession({
              name: "consumer",
              greeting: [
                `Consumer on the cluster at ${options.leader}.`,
                dim("First: joinConsumerGroup billing     Then: subscribe orders     Then: poll, any number of times"),
                ""
              ],
              verbs: [
                join(state),
                leave(state),
                subscribe(state),
                unsubscribe(state),
                poll(state),
                status(state),
                listTopicsVerb(admin, "No topics. addTopic TOPIC in franz producer creates one.")
              ]
            })
          })
        )
      )
  })
