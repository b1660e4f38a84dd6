/** Requests as Kafka's own clients send them, spoiled. */
import { Either } from "effect"
import { decode } from "../../../src/protocol/codec/compile.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { apiByKey } from "../../../src/protocol/message/registry.ts"
import { messagesFile, readLines } from "../../../test/conformance/lines.ts"
import type { MessageVector } from "../../../test/conformance/message-vectors.ts"
import { mutations, seeded } from "../../../test/src/protocol/mutate.ts"
import { type Attack, scaled } from "../attack.ts"
import { breathe, Raw, requestBytes, withRaw } from "../raw.ts"

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

/** Spoiled requests that are sent together, with a good one behind them. */
const burstRequests = 4
/** How long the answers to a burst are waited for, ms. */
const waitMs = 100
const probe = requestBytes(ApiVersions, 0, {})

export const mutated: Attack = {
  name: "mutated",
  about: "a million requests of every API, spoiled by flipped bits, cuts, lengths and counts that lie, and each other's bytes",
  run: async (aim) => {
    const bodies = await served(aim.port)
    const draw = seeded(aim.seed)
    const names = Object.keys(mutations)
    const count = scaled(aim, 1_000_000)
    let looked = 0
    let connections = 0
    let answered = 0
    const spoiledBody = (): Uint8Array => {
      let body = bodies[draw(bodies.length)] as Uint8Array
      for (let rounds = draw(4); rounds > 0; rounds--)
        body = mutations[names[draw(names.length)] as string]?.(body, draw, bodies[draw(bodies.length)] as Uint8Array) ?? body
      return body
    }
    const burst = (): Uint8Array => {
      const pieces: Array<Uint8Array> = []
      for (let nth = 0; nth < burstRequests; nth++) {
        const body = spoiledBody()
        const head = new Uint8Array(4)
        // One in fifty lies about its length: what follows is read as the middle of it.
        new DataView(head.buffer).setInt32(0, draw(50) === 0 ? draw(body.length * 2 + 1) : body.length)
        pieces.push(head, body)
      }
      return Buffer.concat([...pieces, probe])
    }
    const lane = async () => {
      let raw: Raw | undefined
      while (looked < count && aim.goesOn()) {
        if (raw === undefined || !raw.isOpen) {
          raw = await Raw.open(aim.port)
          if (raw === undefined) continue
          connections++
        }
        const before = raw.answers
        await raw.send(burst())
        // Over when the good request behind them is answered or the connection is closed. A request that waits (a long poll, a join) holds back what is behind it: it goes with its connection.
        for (const until = performance.now() + waitMs; raw.isOpen && raw.answers <= before + burstRequests && performance.now() < until; ) await breathe()
        const answers = raw.answers - before
        answered += Math.min(answers, burstRequests)
        // The one that ended the connection, or waits, was looked at too.
        looked += answers > burstRequests ? burstRequests : Math.min(answers + 1, burstRequests)
        if (raw.isOpen && answers <= burstRequests) raw.close()
      }
      raw?.close()
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    return `${looked} requests were looked at, ${answered} of them answered, over ${connections} connections (seed ${aim.seed})`
  }
}
