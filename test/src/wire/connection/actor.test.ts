import { expect, test } from "bun:test"
import { Effect } from "effect"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { actorOf } from "../../../../src/wire/connection/actor.ts"
import { beat, eventually, heartbeat, onStage, reply, transports } from "../harness.ts"

test("a client's own name is fit for a terminal and a line, and short", () => {
  expect(actorOf("rdkafka", "h:1")).toBe("rdkafka@h:1")
  expect(actorOf(null, "h:1")).toBe("h:1")
  expect(actorOf("größer-日本", "h:1")).toBe("größer-日本@h:1")
  expect(actorOf("a\u001b[2Jb\r\nERROR c\u202ed\u2028e\ud800", "h:1")).toBe("a?[2Jb??ERROR c?d?e?@h:1")
  expect(actorOf("x".repeat(30_000), "h:1")).toBe(`${"x".repeat(100)}…@h:1`)
})

// With 10,000 events a request, a name of 30 KB stood in the journal 10,000 times: more than any broker takes in one answer.
for (const [name, layer] of transports)
  test(`handlers and log lines get no other, ${name}`, () => {
    let actor = ""
    const route = heartbeat((id, context) => {
      actor = context.actor
      if (id === 1) return reply(id)
      throw new Error("boom")
    })
    return onStage(layer(), [route], ({ raw, lines }) =>
      Effect.gen(function* () {
        const to = yield* raw
        const ask = (id: number) =>
          to.connection.write(requestFrame(Heartbeat, 4, { correlationId: id, clientId: `\u001b[31m${"y".repeat(20_000)}` }, beat(id)))
        ask(1)
        yield* eventually("an answer", () => to.frames.length === 1)
        expect(actor).toMatch(/^\?\[31my{95}…@/)
        ask(2)
        yield* eventually("a line", () => lines.length === 1)
        expect(lines[0]?.text).not.toContain("\u001b")
        expect(lines[0]?.text.length).toBeLessThan(3000)
      })
    )
  })
