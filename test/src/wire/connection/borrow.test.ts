import { expect, test } from "bun:test"
import { Deferred, Effect, FiberId, Random } from "effect"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { SyncGroup } from "../../../../src/protocol/message/14-sync-group.ts"
import { route } from "../../../../src/wire/route.ts"
import { seed } from "../../../seed.ts"
import { eventually, onStage, transports } from "../harness.ts"

const pattern = (size: number, seed: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >>> 8) * 7 + seed * 13) & 255)
const isPattern = (bytes: Uint8Array, size: number, seed: number): boolean => Buffer.compare(bytes, pattern(size, seed)) === 0

/**
 * Requests of every size on a few connections: some borrow their frame, the others keep it for good. Whatever memory is released and used again meanwhile,
 * a borrower sees what was sent as long as it looks, and what is kept stays as it came.
 */
for (const [name, layer] of transports)
  test(`the memory of a borrowed frame is released, that of a kept one is not, ${name}`, async () => {
    const kept: Array<{ readonly bytes: Uint8Array; readonly seed: number; readonly size: number }> = []
    let borrowed = 0
    let wrong = 0
    const disk = Deferred.unsafeMake<void>(FiberId.none)
    const borrows = route(Produce, { pipelined: true, borrows: true }, ({ acks, timeoutMs, topicData }) => {
      const records = topicData[0]?.partitionData[0]?.records ?? new Uint8Array(0)
      borrowed++
      if (!isPattern(records, records.length, timeoutMs)) wrong++
      const answer = { responses: [{ name: topicData[0]?.name ?? "", partitionResponses: [] }] }
      return acks === 1 ? answer : Effect.as(Deferred.await(disk), answer)
    })
    const keeps = route(SyncGroup, { pipelined: true }, ({ assignments, generationId }) => {
      const bytes = assignments[0]?.assignment ?? new Uint8Array(0)
      kept.push({ bytes, size: bytes.length, seed: generationId })
      return { errorCode: 0, assignment: new Uint8Array(0) }
    })
    await onStage(layer(), [borrows, keeps], ({ raw }) =>
      Effect.gen(function* () {
        const ends = yield* Effect.forEach([1, 2, 3], () => raw)
        let sent = 0
        for (let i = 0; i < 240; i++) {
          const end = ends[i % 3] ?? ends[0]
          if (end === undefined) return
          const size = yield* Random.nextIntBetween(0, i % 4 === 0 ? 300_000 : i % 4 === 1 ? 50_000 : 2000)
          if ((yield* Random.nextIntBetween(0, 8)) === 0)
            end.ask(SyncGroup, 5, { groupId: "g", generationId: i, memberId: "m", assignments: [{ memberId: "m", assignment: pattern(size, i) }] })
          else
            end.ask(Produce, 11, {
              acks: i > 200 && i % 5 === 0 ? -1 : 1,
              timeoutMs: i,
              topicData: [{ name: "t", partitionData: [{ index: 0, records: pattern(size, i) }] }]
            })
          sent++
          if (i % 7 === 0) yield* Effect.sleep("1 millis")
        }
        // Those that wait let others start behind them, as far as the connection allows; then they are answered.
        yield* Effect.sleep("5 millis")
        yield* Deferred.succeed(disk, undefined)
        yield* eventually("all are answered", () => ends.reduce((sum, { frames }) => sum + frames.length, 0) === sent)
        expect(kept.length + borrowed).toBe(sent)
      }).pipe(Effect.withRandom(Random.make(seed)))
    )
    expect(kept.length).toBeGreaterThan(5)
    expect(wrong).toBe(0)
    expect(kept.filter(({ bytes, size, seed }) => !isPattern(bytes, size, seed))).toEqual([])
  }, 300_000)

test("in memory, a borrowed frame reads as released after its handler has returned", async () => {
  const late: Array<Uint8Array> = []
  const borrows = route(Produce, { pipelined: true, borrows: true }, ({ topicData }) => {
    late.push(topicData[0]?.partitionData[0]?.records ?? new Uint8Array(0))
    return { responses: [{ name: "t", partitionResponses: [] }] }
  })
  const [, , memory] = transports
  if (memory === undefined) throw new Error("no memory transport")
  await onStage(memory[1](), [borrows], ({ raw }) =>
    Effect.gen(function* () {
      const end = yield* raw
      for (const size of [10, 20_000])
        end.ask(Produce, 11, { acks: 1, timeoutMs: 1, topicData: [{ name: "t", partitionData: [{ index: 0, records: pattern(size, 1) }] }] })
      yield* eventually("both are answered", () => end.frames.length === 2)
      expect(late.map((bytes) => bytes.every((byte) => byte === 0xdd))).toEqual([true, true])
    })
  )
})
