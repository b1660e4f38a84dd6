/** Attacks on the one thread of a node: single requests that ask for as much as a request may. */
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { DeleteGroups } from "../../../src/protocol/message/42-delete-groups.ts"
import { apiByKey } from "../../../src/protocol/message/registry.ts"
import type { AnyApi } from "../../../src/protocol/type/wire.ts"
import { type Attack, scaled } from "../attack.ts"
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
            frame = requestBytes(api, version, draft(count, distinct) as never)
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

export const wideAttacks: ReadonlyArray<Attack> = [wideRequests, tenAtOnce, wideWaits]
