import { expect, test } from "bun:test"
import { Effect } from "effect"
import { gateway } from "../../../../adapters/journal/etcd/gateway.ts"

test("calls that are under way when etcd forgets the tokens of its users all get a new one", async () => {
  const known = new Set<string>()
  let issued = 0
  let refusals = 0
  const asksForToken = Promise.withResolvers<void>()
  const otherIsDone = Promise.withResolvers<void>()
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      if (request.url.endsWith("/auth/authenticate")) {
        const token = `token-${++issued}`
        known.add(token)
        // The other call learns of its refusal while this one has no token yet, and asks for one, too.
        if (issued === 2) {
          asksForToken.resolve()
          await otherIsDone.promise
        }
        if (issued === 3) otherIsDone.resolve()
        return Response.json({ token })
      }
      if (known.has(request.headers.get("Authorization") ?? "")) return Response.json({ kvs: [] })
      if (++refusals === 2) await asksForToken.promise
      return Response.json({ error: "etcdserver: invalid auth token", code: 16 }, { status: 401 })
    }
  })
  try {
    const client = gateway({ endpoints: [`http://127.0.0.1:${server.port}`], user: { name: "franz", password: "pass" } })
    const range = () => Effect.runPromise(Effect.either(client.range({ key: "/franz/" })))
    expect(await range()).toMatchObject({ _tag: "Right" })
    known.clear()
    const asked = [range(), range()]
    void Promise.race(asked).then(() => otherIsDone.resolve())
    expect(await Promise.all(asked)).toMatchObject([{ _tag: "Right" }, { _tag: "Right" }])
  } finally {
    await server.stop(true)
  }
})

test("calls at the same time each reach the one member that is up", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ kvs: [] }) })
  try {
    // Ports below 1024 that no program listens on.
    const down = [1, 2].map((port) => `http://127.0.0.1:${port}`)
    const client = gateway({ endpoints: [...down, `http://127.0.0.1:${server.port}`] })
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => Effect.runPromise(Effect.either(client.range({ key: "/franz/" })))))
      expect(answers.filter(({ _tag }) => _tag === "Left")).toEqual([])
    }
  } finally {
    await server.stop(true)
  }
})
