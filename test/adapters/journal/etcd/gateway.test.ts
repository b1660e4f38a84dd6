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
