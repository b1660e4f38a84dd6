import { expect, test } from "bun:test"
import { errorCode, errorText, isRetriable, kafkaError, kafkaErrors } from "../../../domain/kernel/error-code.ts"

test("every error code of Kafka 4.4 exists once", () => {
  expect(kafkaErrors.map(errorCode)).toEqual(Array.from({ length: 138 }, (_, index) => index - 1))
  expect(kafkaErrors.every((error) => kafkaError(errorCode(error)) === error)).toBe(true)
})

test("a code from a newer peer is an unknown server error", () => expect(kafkaError(9999)).toBe("UNKNOWN_SERVER_ERROR"))

test("every error has a sentence of its own, short enough for a line", () => {
  const sentences = kafkaErrors.map(errorText)
  for (const sentence of sentences) expect(sentence).toMatch(/^[A-Za-z].{5,110}\.$/)
  expect(new Set(sentences).size).toBe(sentences.length)
})

test("retriable errors are marked as such, and NONE is not", () => {
  expect(isRetriable("NOT_LEADER_OR_FOLLOWER")).toBe(true)
  expect(isRetriable("TOPIC_ALREADY_EXISTS")).toBe(false)
  expect(isRetriable("NONE")).toBe(false)
})
