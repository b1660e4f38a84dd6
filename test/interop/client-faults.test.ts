import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { faults } from "../../scripts/torture-client/faults.ts"
import { operations } from "../../scripts/torture-client/operations.ts"
import { runOverTcp } from "../../scripts/torture-client/over-tcp.ts"
import { type Node, up } from "./support/franz.ts"
import { temporaryDirectory } from "./support/process.ts"

/**
 * The short form of `./franz torture-client`: over TCP, with sockets that are reset. test/src/client/faults runs every call
 * under every fault in virtual time, and judges the bounds exactly; here a call is late that takes half a minute more.
 */
const slackMs = 30_000
const calls = ["producer.sendMessage", "producer.sendBatch", "admin.describeTopic", "consumer.poll", "consumer.poll in a group"]
const ofNetwork = /cut|one-way silence|half-open|100 ms|reset/

describe("the client over a TCP proxy with faults", () => {
  const data = temporaryDirectory()
  let node: Node
  beforeAll(async () => {
    node = await up(data.path)
  })
  afterAll(async () => {
    await node?.process.kill("SIGTERM")
    data.remove()
  })

  test("every call ends, works when the fault is over, and no confirmed message is lost or stored twice", async () => {
    const wanted = operations.filter(({ name }) => calls.includes(name))
    expect(wanted.length).toBe(calls.length)
    const report = await runOverTcp({
      leader: node.address,
      operations: wanted,
      faults: faults.filter(({ name }) => ofNetwork.test(name)),
      forms: ["once"],
      slackMs,
      isPatient: true
    })
    expect(report.outcomes.flatMap(({ complaints, fault, operation }) => complaints.map((complaint) => `${operation}, ${fault}: ${complaint}`))).toEqual([])
    expect(report.confirmed).toBeGreaterThan(10)
    expect([report.lost, report.twice]).toEqual([0, 0])
    // Longer than the bounds of all calls of two cases one after the other.
  }, 600_000)
})
