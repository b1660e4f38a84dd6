/** Attacks on the one thread of a node: single requests that ask for as much as a request may. */
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { DeleteGroups } from "../../../src/protocol/message/42-delete-groups.ts"
import { apiByKey } from "../../../src/protocol/message/registry.ts"
import type { AnyApi } from "../../../src/protocol/type/wire.ts"
import { requestElementsMax } from "../../../src/wire/routing/request-elements.ts"
import { type Aim, type Attack, scaled } from "../attack.ts"
import { pause, Raw, requestBytes, withRaw } from "../raw.ts"
import { widest } from "../widest.ts"

/** Below the million elements that a request may have, and below 100 MB of bytes. */
const elements = 990_000

/** What the node says that it serves: API and version, the lowest and the highest that we can write. */
const servedBy = (port: number): Promise<ReadonlyArray<readonly [api: AnyApi, version: number]> | undefined> =>
  withRaw(port, async (raw) => {
    const { apiKeys } = await raw.call(ApiVersions, 0, {})
    return apiKeys.flatMap(({ apiKey, maxVersion, minVersion }) => {
      const api = apiByKey(apiKey)
      if (api === undefined) return []
      const versions = new Set([Math.max(minVersion, api.versions[0]), Math.min(maxVersion, api.versions[1])])
      return [...versions].map((version) => [api, version] as const)
    })
  })

/** A Produce with acks=0, which the smallest value is, has no answer to wait for. */
const withAnswer = (api: AnyApi, request: unknown) => (api.key === Produce.key ? { ...(request as object), acks: -1 } : request)

/** Each array of each request that the node serves, wide; one after the other, each over its own connection. */
const wideRequests: Attack = {
  name: "wide-requests",
  about: "one request of 990,000 elements for each array of each API in its first and last version, with elements that differ and with one that is repeated",
  run: async (aim) => {
    const served = (await servedBy(aim.port)) ?? []
    const count = scaled(aim, elements)
    let sent = 0
    let answered = 0
    const slowest = { ms: 0, what: "" }
    for (const [api, version] of served) {
      for (const { draft, path } of widest(api, version)) {
        for (const distinct of [true, false]) {
          if (!aim.goesOn()) return `${sent} requests, ${answered} answered (the time was over); the slowest took ${slowest.ms.toFixed(0)} ms: ${slowest.what}`
          let frame: Uint8Array
          try {
            frame = requestBytes(api, version, withAnswer(api, draft(count, distinct)) as never)
          } catch {
            continue
          }
          sent++
          const at = performance.now()
          // A long poll has nothing to wait for here: minBytes and times are zero.
          const answer = await withRaw(aim.port, async (raw) => {
            await raw.send(frame)
            return await Promise.race([raw.frame(), pause(60_000)])
          })
          if (answer !== undefined) answered++
          const ms = performance.now() - at
          if (ms > slowest.ms) Object.assign(slowest, { ms, what: `${api.name} v${version} ${path}${distinct ? "" : ", repeated"}` })
        }
      }
    }
    return `${sent} requests, ${answered} answered, the others refused; the slowest took ${slowest.ms.toFixed(0)} ms: ${slowest.what}`
  }
}

const tenAtOnce: Attack = {
  name: "ten-at-once",
  about: "ten DeleteGroups of 990,000 names at the same time, again and again",
  run: async (aim) => {
    const frame = requestBytes(DeleteGroups, 0, { groupsNames: Array.from({ length: scaled(aim, elements) }, (_, nth) => `g${nth}`) })
    let rounds = 0
    do {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          withRaw(aim.port, async (raw) => {
            await raw.send(frame)
            await raw.frame()
          })
        )
      )
      rounds++
    } while (aim.goesOn())
    return `${rounds} rounds`
  }
}

const wideWaits: Attack = {
  name: "wide-waits",
  about: "ten Fetches that wait for one partition 400,000 times each, while others write to it",
  run: async (aim) => {
    const partitions = Array.from({ length: scaled(aim, 400_000) }, () => ({ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }))
    const frame = requestBytes(Fetch, 11, {
      maxWaitMs: 0x7fffffff,
      minBytes: 0x7fffffff,
      isolationLevel: 0,
      topics: [
        { topic: aim.topic, partitions },
        { topic: "honest", partitions }
      ],
      forgottenTopicsData: [],
      rackId: ""
    })
    const raws: Array<Raw> = []
    for (let nth = 0; nth < 10 && aim.goesOn(); nth++) {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) continue
      raws.push(raw)
      await raw.send(frame)
    }
    while (aim.goesOn()) await pause(50)
    const open = raws.filter(({ isOpen }) => isOpen).length
    for (const raw of raws) raw.close()
    return `${raws.length} connections, ${open} of them open at the end`
  }
}

/** What is left of the elements that an API allows for the arrays around the wide one. */
const around = 10

/** Sends a request over so many connections at the same time; returns how many were answered. */
const atOnce = async (aim: Aim, count: number, frame: Uint8Array): Promise<number> => {
  let answered = 0
  await Promise.all(
    Array.from({ length: count }, () =>
      withRaw(aim.port, async (raw) => {
        await raw.send(frame)
        if ((await Promise.race([raw.frame(), pause(60_000)])) !== undefined) answered++
      })
    )
  )
  return answered
}

/** The largest requests that are allowed, many at the same time: what they take together must stay within the memory of the node. */
const wideAtOnce: Attack = {
  name: "wide-at-once",
  about: "ten (and of every fifth kind thirty) of the largest allowed requests at the same time, for each array of each API, first with elements that differ",
  run: async (aim) => {
    const served = (await servedBy(aim.port)) ?? []
    const counts = { kinds: 0, sent: 0, answered: 0 }
    const slowest = { ms: 0, what: "" }
    // The first array of each API, then the second of each, so that every API has its turn however short the time is.
    const all = [true, false].flatMap((distinct) =>
      served
        .flatMap(([api, version]) => widest(api, version).map((wide, nth) => ({ api, version, distinct, nth, ...wide })))
        .sort((one, other) => one.nth - other.nth)
    )
    for (const { api, distinct, draft, path, version } of all) {
      if (!aim.goesOn()) break
      const frame = requestBytes(api, version, withAnswer(api, draft(scaled(aim, requestElementsMax(api.key) - around), distinct)) as never)
      const count = counts.kinds++ % 5 === 4 ? 30 : 10
      const at = performance.now()
      counts.sent += count
      counts.answered += await atOnce(aim, count, frame)
      const ms = performance.now() - at
      if (ms > slowest.ms) Object.assign(slowest, { ms, what: `${count} of ${api.name} v${version} ${path}${distinct ? "" : ", repeated"}` })
    }
    const whole = counts.kinds < all.length ? " (the time was over)" : ""
    return `${counts.sent} requests of ${counts.kinds} of ${all.length} kinds, ${counts.answered} answered, the others refused${whole}; the slowest took ${slowest.ms.toFixed(0)} ms: ${slowest.what}`
  }
}

export const wideAttacks: ReadonlyArray<Attack> = [wideRequests, tenAtOnce, wideWaits, wideAtOnce]
