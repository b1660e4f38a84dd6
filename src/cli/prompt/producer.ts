import { Effect } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import { Producer, type ProducerService } from "../../client/producer/producer.ts"
import { count } from "../client/each.ts"
import { mapClientErrors } from "../client/failure.ts"
import { connection, firstContact, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { dim, print } from "../shell/screen.ts"
import { noArgument } from "../shell/spec.ts"
import { runSession, usageFailure, type Verb } from "./session.ts"
import { listTopicsVerb, mapSessionErrors, topicNames } from "./topics.ts"

/** The user waits: an unknown topic is reported soon, ms. */
const unknownTopicTimeoutMs = 1000
const unknownTopic = "addTopic creates it. listTopics lists the topics."

const addTopic = (producer: ProducerService): Verb<never> => ({
  names: ["addTopic", "add"],
  usage: "addTopic TOPIC [PARTITIONS]",
  help: "Creates a topic.",
  run: ([topic, partitions, ...more]) =>
    topic === undefined || more.length > 0 || !/^\d{0,6}$/.test(partitions ?? "")
      ? usageFailure("addTopic TOPIC [PARTITIONS], e.g. addTopic orders 6")
      : mapSessionErrors(
          Effect.map(producer.addTopic(topic, partitions === undefined ? {} : { partitions: Number(partitions) }), (added) =>
            print(`${topic} created${added.partitions < 0 ? "" : ` with ${count(added.partitions, "partition")}`}`)
          ),
          unknownTopic
        )
})

const removeTopic = (producer: ProducerService, admin: AdminService): Verb<never> => ({
  names: ["removeTopic", "remove"],
  usage: "removeTopic TOPIC",
  help: "Deletes a topic and all its messages.",
  complete: () => topicNames(admin),
  run: ([topic, ...more]) =>
    topic === undefined || more.length > 0
      ? usageFailure("removeTopic TOPIC")
      : mapSessionErrors(
          Effect.map(producer.removeTopic(topic), () => print(`${topic} deleted`)),
          "listTopics lists the topics."
        )
})

const sendMessage = (producer: ProducerService, admin: AdminService): Verb<never> => ({
  names: ["sendMessage", "send"],
  usage: "sendMessage TOPIC MESSAGE",
  help: "Sends the rest of the line, and prints its position.",
  complete: (before) => (before.length === 0 ? topicNames(admin) : Effect.succeed([])),
  run: ([topic, first], rest) => {
    if (topic === undefined || first === undefined) return usageFailure("sendMessage TOPIC MESSAGE, e.g. sendMessage orders hello")
    const message = rest.trimStart().slice(topic.length).replace(/^\s/, "")
    return mapSessionErrors(
      Effect.map(producer.sendMessage(topic, message), ({ offset, partition }) => print(`sent to ${topic}-${partition}@${offset}`)),
      unknownTopic
    )
  }
})

/** The interactive producer: a session that creates topics and sends messages. */
export const producerCommand = (path = "producer") =>
  command({
    path,
    summary: "run an interactive producer: create and delete topics, send messages",
    example: [`${path === "" ? "franz-producer" : "franz producer"} --leader 127.0.0.1:9092`],
    options: leaderOption,
    argument: noArgument,
    run: (words) =>
      untilStopped(
        Effect.scoped(
          Effect.gen(function* () {
            const options = yield* connection(words, "producer")
            yield* firstContact(options)
            const admin = yield* mapClientErrors(Admin.make({ ...options, retryTimeoutMs: 5000 }))
            const producer = yield* mapClientErrors(
              Producer.make({ ...options, createTopics: false, unknownTopicTimeoutMs, retryTimeoutMs: 5000, deliveryTimeoutMs: 30_000 })
            )
            yield* runSession({
              name: "producer",
              greeting: [`Producer on the cluster at ${options.leader}.`, dim("First: addTopic orders 6     Then: sendMessage orders hello"), ""],
              verbs: [
                addTopic(producer),
                removeTopic(producer, admin),
                sendMessage(producer, admin),
                listTopicsVerb(admin, "No topics. addTopic TOPIC creates one.")
              ]
            })
          })
        )
      )
  })
