import { afterAll, beforeAll, describe, expect } from "bun:test"
import { franzDoes, type Node, up } from "./support/franz.ts"
import { consoleConsumer, lines, linesOf, runKcat, sorted, startJavaTool, testWith } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

/** Java's consumer continues a session by itself; what it reads of many partitions shows that none of them was left out. */
describe("a topic of 100 partitions", () => {
  const data = temporaryDirectory()
  let node: Node
  beforeAll(async () => {
    // The broker has one session slot: it serves the second consumer without a session.
    node = await up(data.path, "-X", "max.incremental.fetch.session.cache.slots=1", "-X", "group.initial.rebalance.delay.ms=0")
    await franzDoes(["topic", "create", "wide", "--partitions", "100", "--leader", node.address])
  }, 120_000)
  afterAll(async () => {
    await node?.process.kill("SIGTERM")
    data.remove()
  })
  const produce = (some: ReadonlyArray<string>) => runKcat(["-b", node.address, "-P", "-t", "wide", "-p", "-1"], { input: `${some.join("\n")}\n` })

  testWith(
    ["java", "kcat"],
    "two of Kafka's Java consumers, one with a session and one without, read every line once, also what comes while they wait",
    async () => {
      const third = Math.ceil(lines.length / 3)
      await produce(lines.slice(0, third))
      const consumers = ["one", "two"].map((group) =>
        startJavaTool(consoleConsumer, ["--bootstrap-server", node.address, "--topic", "wide", "--group", group, "--from-beginning"])
      )
      const have = (count: number) => () => consumers.every(({ stdout }) => linesOf(stdout).length >= count)
      await until("both have read the first lines", have(third))
      await produce(lines.slice(third, 2 * third))
      await until("both have read what came while they waited", have(2 * third))
      await produce(lines.slice(2 * third))
      await until("both have read everything", have(lines.length))
      for (const consumer of consumers) {
        await consumer.kill("SIGTERM")
        expect(sorted(linesOf(consumer.stdout))).toEqual(sorted(lines))
      }
      const read = linesOf(await runKcat(["-b", node.address, "-C", "-t", "wide", "-e", "-q"]))
      expect(sorted(read)).toEqual(sorted(lines))
    }
  )
})
