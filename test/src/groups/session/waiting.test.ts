import { expect, test } from "bun:test"
import { Effect, Either, Fiber, Logger, LogLevel } from "effect"
import { joinResponse } from "../../../../domain/group/classic/response.ts"
import { Command } from "../../../../domain/group/command.ts"
import { groupId, type MemberId, memberId } from "../../../../domain/group/id.ts"
import { defaults } from "../../../../domain/group/limits.ts"
import type { Group } from "../../../../domain/group/state.ts"
import { groupStreamName, groupsAggregate } from "../../../../src/groups/groups-aggregate.ts"
import { Waiting } from "../../../../src/groups/session/waiting.ts"
import { openWriter } from "../../../../src/stream/writer.ts"
import { scriptedJournal } from "../../stream/scripted-journal.ts"
import { bytes } from "../support.ts"

const g = groupId("g")
const join = (name: string, at: number): Command =>
  Command.Join({
    groupId: g,
    at,
    memberId: memberId(""),
    newMemberId: memberId(name),
    memberIdRequired: false,
    instanceId: null,
    clientId: name,
    clientHost: "/10.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: bytes(name) }],
    reason: ""
  })

/** What a waiting member sees at last: the generation, or the error. */
const seen = (member: MemberId) => (group: Group) => {
  const answer = joinResponse(group, member, null)
  return answer._tag === "Joined" ? answer.generation : answer._tag === "Refused" ? answer.error : undefined
}

const withWriter = <A, E>(work: (writer: Effect.Effect.Success<ReturnType<typeof open>>, waiting: Waiting) => Effect.Effect<A, E>) =>
  Effect.runPromise(
    Effect.flatMap(open(), (writer) => {
      const waiting = new Waiting(writer.state)
      writer.onChange((change) => waiting.follow(change))
      return work(writer, waiting)
    }).pipe(Effect.scoped, Effect.provide(scriptedJournal().layer), Logger.withMinimumLogLevel(LogLevel.Fatal))
  )
const open = () =>
  openWriter(groupStreamName(0), groupsAggregate({ ...defaults, initialRebalanceDelayMs: 1000 }), { candidate: { nodeId: 0 }, snapshotIntervalEvents: 1000 })
const submissions = (...commands: ReadonlyArray<Command>) =>
  commands.map((command, n) => ({ command, commandId: `test-${command._tag}-${n}`, actor: "test", cause: "test" }))

test("a generation that is over within the same turn of the writer is still seen by those who waited for it", () =>
  withWriter((writer, waiting) =>
    Effect.gen(function* () {
      yield* writer.submitAll(submissions(join("one", 0), join("two", 0)))
      const one = yield* Effect.fork(waiting.until(g, memberId("one"), seen(memberId("one"))))
      const two = yield* Effect.fork(waiting.until(g, memberId("two"), seen(memberId("two"))))
      yield* Effect.yieldNow()
      // The round ends, and a third member opens the next one, before any other fiber runs.
      const outcomes = yield* writer.submitAll(
        submissions(Command.CompleteJoin({ groupId: g, at: 5000 }), Command.CompleteJoin({ groupId: g, at: 6000 }), join("three", 7000))
      )
      expect(outcomes.every(Either.isRight)).toBe(true)
      expect([...writer.state()].map(([, { phase }]) => phase)).toEqual(["PreparingRebalance"])
      expect([yield* Fiber.join(one), yield* Fiber.join(two)]).toEqual([1, 1])
    })
  ))

test("a member that is removed while it waits gets that error, and no other request is looked at", () =>
  withWriter((writer, waiting) =>
    Effect.gen(function* () {
      yield* writer.submitAll(submissions(join("one", 0), join("two", 0)))
      let looks = 0
      const one = yield* Effect.fork(
        waiting.until(g, memberId("one"), (group) => {
          looks++
          return seen(memberId("one"))(group)
        })
      )
      const two = yield* Effect.fork(waiting.until(g, memberId("two"), seen(memberId("two"))))
      yield* Effect.yieldNow()
      yield* writer.submitAll(submissions(Command.Leave({ groupId: g, at: 100, members: [{ memberId: memberId("two"), instanceId: null }] })))
      expect([yield* Fiber.join(two), looks]).toEqual(["UNKNOWN_MEMBER_ID", 1])
      yield* writer.submitAll(submissions(Command.CompleteJoin({ groupId: g, at: 5000 }), Command.CompleteJoin({ groupId: g, at: 9000 })))
      expect(yield* Fiber.join(one)).toBe(1)
    })
  ))

test("a request that is given up is forgotten", () =>
  withWriter((writer, waiting) =>
    Effect.gen(function* () {
      yield* writer.submitAll(submissions(join("one", 0)))
      let looks = 0
      const one = yield* Effect.fork(
        waiting.until(g, memberId("one"), () => {
          looks++
          return undefined
        })
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(one)
      yield* writer.submitAll(submissions(Command.CompleteJoin({ groupId: g, at: 5000 })))
      expect(looks).toBe(1)
    })
  ))

test("when the stream is closed, every request that waits is answered with that, and so is every later one", () =>
  withWriter((writer, waiting) =>
    Effect.gen(function* () {
      yield* writer.submitAll(submissions(join("one", 0)))
      const one = yield* Effect.fork(Effect.flip(waiting.until(g, memberId("one"), seen(memberId("one")))))
      yield* Effect.yieldNow()
      const rejection = { error: "NOT_COORDINATOR", message: "elsewhere" } as const
      waiting.close(rejection)
      expect(yield* Fiber.join(one)).toEqual(rejection)
      expect(yield* Effect.flip(waiting.until(g, memberId("one"), seen(memberId("one"))))).toEqual(rejection)
    })
  ))
