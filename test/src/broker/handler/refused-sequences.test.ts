import { describe, expect, test } from "bun:test"
import type { Rejection } from "../../../../domain/kernel/error-code.ts"
import { RefusedSequences } from "../../../../src/broker/handler/refused-sequences.ts"
import { batch, sequenced } from "../support.ts"

const to = { connectionId: 1, topic: "orders", partition: 0 }
const tooFew: Rejection = { error: "NOT_ENOUGH_REPLICAS", message: "Fewer replicas are in sync than min.insync.replicas; nothing was written." }
const producer = 7n
/** The log has no batch of the producer. */
const unknown = (): boolean => false
const of = (sequence: number, epoch = 0, id = producer) => sequenced(["x"], id, sequence, epoch)

/** What the batch of this sequence is refused with, after batch 10 of the producer's epoch 1 was refused. */
const after = (rejection: Rejection = tooFew) => {
  const refused = new RefusedSequences()
  refused.note(to, of(10, 1), rejection, 0)
  return {
    refused,
    ask: (sequence: number, { at = 0, epoch = 1, id = producer, isExpected = unknown, sent = to } = {}) =>
      refused.refusalOf(sent, of(sequence, epoch, id), at, isExpected)?.error
  }
}

describe("a batch behind a refused one of its producer", () => {
  test("is refused as that one was, with a sentence that says why", () => {
    const { ask, refused } = after()
    expect(ask(11)).toBe("NOT_ENOUGH_REPLICAS")
    expect(refused.refusalOf(to, of(12, 1), 0, unknown)?.message).toBe(
      `${tooFew.message} A batch of producer 7 before this one was refused so, and comes first.`
    )
  })

  test("is taken when that one came again", () => {
    const { ask } = after()
    for (const sequence of [11, 12]) expect(ask(sequence)).toBe("NOT_ENOUGH_REPLICAS")
    for (const sequence of [10, 11, 12]) expect(ask(sequence)).toBe(undefined)
  })

  test("of a client that continues without it is judged by its sequence after four, as many as are under way beside it", () => {
    const { ask } = after()
    for (const sequence of [11, 12, 13, 14]) expect(ask(sequence)).toBe("NOT_ENOUGH_REPLICAS")
    for (const sequence of [15, 11]) expect(ask(sequence)).toBe(undefined)
  })

  test("is found over the end of the sequences", () => {
    const refused = new RefusedSequences()
    refused.note(to, of(0x7fffffff), tooFew, 0)
    expect(refused.refusalOf(to, of(0), 0, unknown)?.error).toBe("NOT_ENOUGH_REPLICAS")
  })

  test.each(["NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_ID", "KAFKA_STORAGE_ERROR"] as const)("is refused with %s too", (error) => {
    expect(after({ error, message: "" }).ask(11)).toBe(error)
  })
})

describe("a refused batch holds up", () => {
  test("no batch of another connection, partition, topic, producer or epoch, and none before it", () => {
    const { ask } = after()
    expect(ask(11, { sent: { ...to, connectionId: 2 } })).toBe(undefined)
    expect(ask(11, { sent: { ...to, partition: 1 } })).toBe(undefined)
    expect(ask(11, { sent: { ...to, topic: "payments" } })).toBe(undefined)
    expect(ask(11, { id: 8n })).toBe(undefined)
    expect(ask(9)).toBe(undefined)
    expect(ask(11)).toBe("NOT_ENOUGH_REPLICAS")
    // A producer that has raised its epoch numbers its batches anew.
    expect(ask(11, { epoch: 2 })).toBe(undefined)
    expect(ask(11)).toBe(undefined)
  })

  test("nothing where the log misses no batch: another leader has taken it meanwhile", () => {
    const { ask, refused } = after()
    expect(ask(12, { isExpected: () => true })).toBe(undefined)
    expect(refused.isEmpty).toBe(true)
  })

  test("nothing after an error that its client does not send it again for", () => {
    expect(after({ error: "MESSAGE_TOO_LARGE", message: "" }).ask(11)).toBe(undefined)
  })

  test("nothing after a minute", () => {
    const { ask, refused } = after()
    expect(ask(11, { at: 60_000 })).toBe("NOT_ENOUGH_REPLICAS")
    refused.note({ ...to, partition: 1 }, of(10, 1), tooFew, 50_000)
    expect(ask(11, { at: 60_001 })).toBe(undefined)
    expect(ask(11, { at: 110_001, sent: { ...to, partition: 1 } })).toBe(undefined)
    expect(refused.isEmpty).toBe(true)
  })

  test("nothing where its producer is not idempotent, or its records are no batch", () => {
    const refused = new RefusedSequences()
    for (const records of [null, new Uint8Array(0), new Uint8Array(60), new Uint8Array(100), batch(["x"])]) refused.note(to, records, tooFew, 0)
    expect(refused.isEmpty).toBe(true)
    refused.note(to, of(10), tooFew, 0)
    for (const records of [null, new Uint8Array(0), new Uint8Array(60), new Uint8Array(100), batch(["x"])])
      expect(refused.refusalOf(to, records, 0, unknown)).toBe(undefined)
  })

  test("nothing when 10,000 others were refused after it", () => {
    const { ask, refused } = after()
    const other = of(10, 1)
    for (let connectionId = 2; connectionId <= 10_000; connectionId++) refused.note({ ...to, connectionId }, other, tooFew, 0)
    expect(ask(11)).toBe("NOT_ENOUGH_REPLICAS")
    refused.note({ ...to, connectionId: 10_001 }, of(10, 1), tooFew, 0)
    expect(ask(11)).toBe(undefined)
    expect(ask(11, { sent: { ...to, connectionId: 2 } })).toBe("NOT_ENOUGH_REPLICAS")
  })
})
