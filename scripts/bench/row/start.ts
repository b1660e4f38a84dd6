import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import type { Broker } from "../broker.ts"
import { rssMiB } from "../process.ts"
import { type Amount, atMost, type OwnRow, times } from "../row.ts"
import { call, Wire } from "../wire.ts"

const settleMs = 5000

/** Connections as clients open them: they say hello, ask for metadata, and are silent. */
const openIdle = (port: number, count: number): Promise<ReadonlyArray<Wire>> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const wire = await Wire.open(port)
      await call(wire, ApiVersions, 3, { clientSoftwareName: "franz-bench", clientSoftwareVersion: "1" })
      await call(wire, Metadata, 12, { topics: [] })
      return wire
    })
  )

/**
 * The memory of one more idle connection beyond the first thousand, KiB, and of the node with that thousand, MiB. The
 * first connections of a node fill free places of its heap and map code again that they use: that is no memory of a
 * connection, and differs with what the start left free.
 */
const connected = async ({ pid, port }: Broker, { tiny }: Amount): Promise<{ readonly connectionKiB: number; readonly nodeMiB: number }> => {
  const count = tiny ? 20 : 1000
  const opened = async () => {
    const wires = await openIdle(port, count)
    await Bun.sleep(tiny ? 0 : settleMs)
    return { wires, rss: rssMiB(pid) }
  }
  const first = await opened()
  const second = await opened()
  for (const wire of [...first.wires, ...second.wires]) wire.close()
  return { connectionKiB: ((second.rss - first.rss) * 1024) / count, nodeMiB: first.rss }
}

/** Each start once a round, and what a broker takes when nothing happens. */
export const startRow: OwnRow = {
  kind: "own",
  id: "8",
  name: "start",
  figures: [
    { id: "8a", figure: "start to first Metadata answer, compiled binary", unit: "s", more: false, must: times(30), stretch: times(50) },
    { id: "8b", figure: "processor time of that start", unit: "cpu s", more: false, must: times(30), stretch: times(50) },
    { id: "9", figure: "idle RSS of a broker", unit: "MiB", more: false, must: times(5), stretch: times(8) },
    { id: "11", figure: "memory of one more idle connection beyond 1,000", unit: "KiB", more: false, must: atMost(6), stretch: atMost(4) },
    { id: "11b", figure: "RSS of a broker with 1,000 idle connections", unit: "MiB", more: false }
  ],
  run: async (brokers, amount, say) => {
    for (let round = 0; round < amount.rounds; round++) {
      for (const side of brokers.sides) {
        const broker = await brokers.start(side)
        if (!amount.tiny) await Bun.sleep(settleMs)
        const idle = rssMiB(broker.pid)
        const { connectionKiB, nodeMiB } = await connected(broker, amount)
        const values = { "8a": broker.startSeconds, "8b": broker.startCpuSeconds, "9": idle, "11": connectionKiB, "11b": nodeMiB }
        await broker.stop()
        say({ side, values })
      }
    }
  }
}
