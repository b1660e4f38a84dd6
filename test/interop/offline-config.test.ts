import { expect, test } from "bun:test"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { layer as checksum } from "../../adapters/checksum/checksum.ts"
import { layer as journalOverLog } from "../../adapters/journal/over-log.ts"
import { layer as fileStore } from "../../adapters/log/file/layer.ts"
import { Event, NodeConfigsChanged } from "../../domain/cluster/event.ts"
import { metadataTopic } from "../../domain/cluster/topic/name.ts"
import { encodeEvents } from "../../domain/kernel/decode-events.ts"
import { Journal } from "../../src/ports/journal.ts"
import { LogStore } from "../../src/ports/log-store.ts"
import { franz, up, withoutWaits } from "./support/franz.ts"
import { linesOf } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

const config = (...args: ReadonlyArray<string>) => franz("broker", "config", ...args).end()

/** Writes an event into the journal of a leader that does not run, as an earlier version would have let be set. */
const journalled = (directory: string, event: NodeConfigsChanged): Promise<void> =>
  Effect.gen(function* () {
    const store = Context.get(yield* Layer.build(fileStore({ directory })), LogStore)
    const journal = Context.get(yield* Layer.build(Layer.provide(journalOverLog, Layer.succeed(LogStore, store))), Journal)
    const { end, epoch } = yield* journal.campaign(metadataTopic, { nodeId: 0 })
    const value = new TextEncoder().encode(JSON.stringify(encodeEvents(Event)(event)))
    yield* journal.append(metadataTopic, epoch, end, [{ commandId: "by hand", actor: "test", cause: "test", type: event._tag, value }])
  }).pipe(Effect.scoped, Effect.provide(checksum), Effect.runPromise)

test("what was set at run time is shown and changed in the directory of a node that does not run, and a value that locks all clients out does not", async () => {
  const data = temporaryDirectory()
  const node = await up(data.path)
  const first = await config("--leader", node.address)
  expect([first.code, first.stdout, withoutWaits(first.stderr)]).toEqual([0, "min.insync.replicas=1\n", ""])
  const strange = await config("77", "--leader", node.address)
  expect([strange.code, withoutWaits(strange.stderr)]).toEqual([
    1,
    "franz: node 77: the cluster has no such node at present.\n`franz cluster describe` lists the nodes.\n"
  ])
  expect(await config("--set", "log.retention.bytes=5000000", "--leader", node.address)).toMatchObject({ code: 0 })
  expect(await config("0", "--set", "log.roll.ms=50000", "--leader", node.address)).toMatchObject({ code: 0 })
  const held = await config("--offline", data.path)
  expect([held.code, held.stdout]).toEqual([73, ""])
  expect(held.stderr).toContain(`${join(data.path, "leader")} is in use by`)
  expect(held.stderr).toContain("takes settings without --offline")
  await node.process.kill("SIGKILL")

  const leader = join(data.path, "leader")
  await journalled(
    leader,
    new NodeConfigsChanged({ nodeId: null, configs: { "log.retention.bytes": "5000000", "max.connections": "1", "message.max.bytes": "0" } })
  )
  const reached = await up(data.path)
  expect(await config("--set", "log.retention.bytes=6000000", "--leader", reached.address)).toMatchObject({ code: 0 })
  await until("the log names what is ignored", () => /max.connections=1: .* all nodes is ignored/.test(reached.process.stderr))
  await reached.process.kill("SIGTERM")

  expect(linesOf((await config("--offline", data.path)).stdout).toSorted()).toEqual([
    "all nodes: log.retention.bytes=6000000",
    "all nodes: max.connections=1  (ignored)",
    "all nodes: message.max.bytes=0  (ignored)",
    "all nodes: min.insync.replicas=1",
    "node 0: log.roll.ms=50000"
  ])
  expect((await config("--offline", data.path, "--set", "max.connections=2")).stderr).toContain("expected a whole number from 10")
  expect((await config("--offline", data.path, "--unset", "max.connection")).stderr).toContain("Did you mean 'max.connections'?")
  expect(await config("--offline", data.path, "--unset", "max.connections", "--unset", "message.max.bytes")).toMatchObject({
    code: 0,
    stdout: "all nodes: max.connections is unset\nall nodes: message.max.bytes is unset\n"
  })
  expect(await config("0", "--offline", leader, "--set", "log.retention.ms=77", "--json")).toMatchObject({
    code: 0,
    stdout: '{"node":0,"set":{"log.retention.ms":"77"},"unset":[]}\n'
  })
  expect(linesOf((await config("0", "--offline", data.path, "--json")).stdout).map((line) => JSON.parse(line))).toEqual([
    { node: 0, configs: expect.arrayContaining([{ name: "log.retention.ms", value: "77", unheeded: null }]) }
  ])
  const elsewhere = await config("--offline", join(data.path, "broker-0"))
  expect([elsewhere.code, elsewhere.stderr.includes("has no journal of a leader")]).toEqual([2, true])
  expect((await config("--offline", data.path, "--leader", "127.0.0.1:1")).code).toBe(2)

  const mended = await up(data.path)
  const entries = linesOf((await config("0", "--leader", mended.address)).stdout)
  expect(entries).toContain("log.retention.ms=77")
  expect(entries).toContain("log.retention.bytes=6000000  (all nodes)")
  expect(entries).toContain("max.connections=10000  (default)")
  await mended.process.kill("SIGTERM")
  data.remove()
}, 180_000)
