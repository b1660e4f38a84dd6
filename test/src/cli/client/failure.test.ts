import { expect, test } from "bun:test"
import { Effect } from "effect"
import { clientFailure, mapClientErrors } from "../../../../src/cli/client/failure.ts"
import { CliFailure } from "../../../../src/cli/shell/failure.ts"
import {
  InvalidArgument,
  InvalidTopic,
  KafkaFailure,
  MessageTooLarge,
  NodeRefused,
  NotReachable,
  TopicExists,
  UnknownTopic
} from "../../../../src/client/error.ts"

test("an unreachable cluster: the address, and how to start a cluster", () => {
  const failure = clientFailure(new NotReachable({ addresses: ["127.0.0.1:9092"], reason: "refused" }))
  expect(failure).toMatchObject({ exit: "unavailable", message: "cluster unreachable: no node responds at 127.0.0.1:9092 (refused)" })
  expect(failure.hint).toContain("`franz up`")
})
test("a topic that is not there, or there already: the command that helps", () => {
  expect(clientFailure(new UnknownTopic({ topic: "orders" })).hint).toContain("`franz topic create orders`")
  expect(clientFailure(new TopicExists({ topic: "orders" })).hint).toContain("--if-not-exists")
})
test("an argument that does not do is a usage error in the words of the command line", () => {
  const fault = new InvalidArgument({ call: "addTopic", field: "options.partitions", given: "0", allowed: "a whole number from 1 to 9" })
  expect(clientFailure(fault)).toMatchObject({ exit: "usage", message: "partitions is 0; allowed: a whole number from 1 to 9." })
})
test("the characters of a topic's name are told for a name that breaks them, and not for an internal topic", () => {
  expect(clientFailure(new InvalidTopic({ topic: "a b", reason: "no" })).hint).toContain("1 to 249 of the characters")
  expect(clientFailure(new InvalidTopic({ topic: "__consumer_offsets", reason: "is internal" })).hint).toBeUndefined()
})
test("an unknown node is not an unreachable cluster", () => {
  const failure = clientFailure(new NodeRefused({ node: "node 77", error: "BROKER_ID_NOT_REGISTERED", reason: "the cluster has no such node at present." }))
  expect(failure).toMatchObject({ exit: "refused", hint: "`franz cluster describe` lists the nodes." })
})
test("what may pass by itself is told apart from what may not", () => {
  expect(clientFailure(new KafkaFailure({ error: "COORDINATOR_NOT_AVAILABLE", what: "x", detail: null })).exit).toBe("unavailable")
  expect(clientFailure(new KafkaFailure({ error: "INVALID_REQUEST", what: "x", detail: null })).exit).toBe("refused")
  expect(clientFailure(new MessageTooLarge({ topic: "t", sizeBytes: 9, limitBytes: 3 })).exit).toBe("refused")
})
test("the command line's own failures stay as they are", () => {
  const own = new CliFailure({ exit: "usage", message: "no" })
  expect(Effect.runSync(Effect.flip(mapClientErrors(Effect.fail(own))))).toBe(own)
})
