/** Requests as Kafka's own clients send them, spoiled. */
import { Either } from "effect"
import { decode } from "../../../src/protocol/codec/compile.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { apiByKey } from "../../../src/protocol/message/registry.ts"
import { messagesFile, readLines } from "../../../test/conformance/lines.ts"
import type { MessageVector } from "../../../test/conformance/message-vectors.ts"
import { mutations, seeded } from "../../../test/src/protocol/mutate.ts"
import { type Attack, scaled } from "../attack.ts"
import { Raw, requestBytes, withRaw } from "../raw.ts"

/** Requests of every served API in every version that the vectors have, as whole bodies of frames without the length. */
const served = async (port: number): Promise<ReadonlyArray<Uint8Array>> => {
  const keys = await withRaw(port, (raw) => raw.call(ApiVersions, 0, {}))
  const isServed = new Set(keys?.apiKeys.map(({ apiKey }) => apiKey))
  return readLines<MessageVector>(messagesFile).flatMap(({ value: { apiKey, hex, kind, version } }) => {
    const api = apiByKey(apiKey ?? -1)
    if (api === undefined || kind !== "request" || !isServed.has(api.key)) return []
    const value = decode(api.request, version, Uint8Array.fromHex(hex))
    return Either.isRight(value) ? [requestBytes(api, version, value.right as never).subarray(4)] : []
  })
}

export const mutated: Attack = {
  name: "mutated",
  about: "a million requests of every API, spoiled by flipped bits, cuts, lengths and counts that lie, and each other's bytes",
  run: async (aim) => {
    const bodies = await served(aim.port)
    const draw = seeded(aim.seed)
    const names = Object.keys(mutations)
    const count = scaled(aim, 1_000_000)
    let sent = 0
    let closed = 0
    const lane = async () => {
      let raw: Raw | undefined
      while (sent < count && aim.goesOn()) {
        if (raw === undefined || !raw.isOpen) {
          if (raw !== undefined) closed++
          raw = await Raw.open(aim.port)
          if (raw === undefined) continue
        }
        const pieces: Array<Uint8Array> = []
        for (let nth = 0; nth < 20; nth++) {
          let body = bodies[draw(bodies.length)] as Uint8Array
          for (let rounds = draw(4); rounds > 0; rounds--)
            body = mutations[names[draw(names.length)] as string]?.(body, draw, bodies[draw(bodies.length)] as Uint8Array) ?? body
          const head = new Uint8Array(4)
          // One in fifty lies about its length: what follows is read as the middle of it.
          new DataView(head.buffer).setInt32(0, draw(50) === 0 ? draw(body.length * 2 + 1) : body.length)
          pieces.push(head, body)
          sent++
        }
        await raw.send(Buffer.concat(pieces))
        await new Promise((resolve) => setImmediate(resolve))
      }
      raw?.close()
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    return `${sent} requests over ${closed + 8} connections (seed ${aim.seed})`
  }
}
