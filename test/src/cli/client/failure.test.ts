import { expect, test } from "bun:test"
import { Effect } from "effect"
import { clientFailure, orSay } from "../../../../src/cli/client/failure.ts"
import { CliFailure } from "../../../../src/cli/shell/failure.ts"
import { KafkaFailure, MessageTooLarge, NotReachable, TopicExists, UnknownTopic } from "../../../../src/client/error.ts"

test("nobody there: the address, and how to start a cluster", () => {
  const failure = clientFailure(new NotReachable({ addresses: ["127.0.0.1:9092"], reason: "refused" }))
  expect(failure).toMatchObject({ exit: "unavailable", message: "nobody answers at 127.0.0.1:9092 (refused)" })
  expect(failure.hint).toContain("`franz up`")
})
test("a topic that is not there, or there already: the command that helps", () => {
  expect(clientFailure(new UnknownTopic({ topic: "orders" })).hint).toContain("`franz topic create orders`")
  expect(clientFailure(new TopicExists({ topic: "orders" })).hint).toContain("--if-not-exists")
})
test("what may pass by itself is told apart from what may not", () => {
  expect(clientFailure(new KafkaFailure({ error: "COORDINATOR_NOT_AVAILABLE", what: "x", detail: null })).exit).toBe("unavailable")
  expect(clientFailure(new KafkaFailure({ error: "INVALID_REQUEST", what: "x", detail: null })).exit).toBe("refused")
  expect(clientFailure(new MessageTooLarge({ topic: "t", sizeBytes: 9, limitBytes: 3 })).exit).toBe("refused")
})
test("the command line's own failures stay as they are", () => {
  const own = new CliFailure({ exit: "usage", message: "no" })
  expect(Effect.runSync(Effect.flip(orSay(Effect.fail(own))))).toBe(own)
})
