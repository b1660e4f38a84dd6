import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { requestBytes } from "../../../../scripts/attack/raw.ts"
import { widest } from "../../../../scripts/attack/widest.ts"
import { decodeResponseFrame } from "../../../../src/protocol/codec/frame.ts"
import { apis } from "../../../../src/protocol/message/registry.ts"
import type { AnyApi } from "../../../../src/protocol/type/wire.ts"
import { Encoded, route, Unreadable } from "../../../../src/wire/route.ts"
import { requestElementsMax } from "../../../../src/wire/routing/request-elements.ts"
import { Sliced, type Steps } from "../../../../src/wire/sliced.ts"
import { contextOf } from "../context.ts"

const handled = Symbol("handled")
/** What becomes of a frame: how often the reading paused, and whether the handler saw it. */
const sent = (api: AnyApi, version: number, draft: unknown) => {
  const frame = requestBytes(api, version, draft as never).subarray(4)
  const header = { apiKey: api.key, apiVersion: version, correlationId: 1, clientId: "stranger", unknownTags: [] }
  const context = contextOf(header, frame)
  const bodyAt = 8 + 2 + "stranger".length + (version >= api.flexible ? 1 : 0)
  let isHandled = false
  const served = route(api, {}, () => {
    isHandled = true
    throw handled
  })
  let pauses = 0
  try {
    const { answer } = Either.getOrThrow(served.start(context, bodyAt))
    const steps = answer instanceof Sliced ? served.finish(context, answer) : undefined
    const done = steps === undefined ? undefined : counted(steps, () => pauses++)
    return { isHandled, pauses, answer: done }
  } catch (cause) {
    if (cause !== handled) throw cause
    return { isHandled, pauses, answer: undefined }
  }
}
const counted = (steps: Steps<unknown>, pause: () => void): unknown => {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    pause()
  }
}

describe("every array of every request", () => {
  const cases = apis.flatMap((api) => widest(api, api.latestStable).map(({ draft, path }) => [`${api.name} ${path}`, api, api.latestStable, draft] as const))
  test.each(cases)("%s: as many elements as its API may have are read with pauses; one more is refused before it is read", (_, api, version, draft) => {
    // The arrays around it have one element each.
    const allowed = requestElementsMax(api.key) - 10
    const most = sent(api, version, draft(allowed, false))
    expect(most.isHandled).toBe(true)
    expect(most.pauses).toBeGreaterThan(Math.floor(allowed / 4096) - 2)
    const over = sent(api, version, draft(allowed + 20, false))
    expect([over.isHandled, over.pauses]).toEqual([false, 0])
    if (over.answer instanceof Unreadable) return expect(over.answer.error.kind).toBe("elements")
    const frame = (over.answer as Encoded).chunks[0]?.subarray(4) as Uint8Array
    const { value } = Either.getOrThrow(decodeResponseFrame(api, version, frame))
    expect((value as { readonly errorCode: number }).errorCode).toBe(errorCode("INVALID_REQUEST"))
  })
})
