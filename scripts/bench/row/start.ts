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

const idleKiB = async ({ pid, port }: Broker, { tiny }: Amount): Promise<number> => {
  const count = tiny ? 20 : 1000
  const settled = () => Bun.sleep(tiny ? 0 : settleMs)
  // What the first connections make the broker load is not the cost of one more.
  for (const wire of await openIdle(port, tiny ? 2 : 50)) wire.close()
  await settled()
  const before = rssMiB(pid)
  const wires = await openIdle(port, count)
  await settled()
  const after = rssMiB(pid)
  for (const wire of wires) wire.close()
  return ((after - before) * 1024) / count
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
    { id: "11", figure: "memory of one of 1,000 idle connections", unit: "KiB", more: false, must: atMost(16), stretch: atMost(9) }
  ],
  run: async (brokers, amount, say) => {
    for (let round = 0; round < amount.rounds; round++) {
      for (const side of brokers.sides) {
        const broker = await brokers.start(side)
        if (!amount.tiny) await Bun.sleep(settleMs)
        const idle = rssMiB(broker.pid)
        const values = { "8a": broker.startSeconds, "8b": broker.startCpuSeconds, "9": idle, "11": await idleKiB(broker, amount) }
        await broker.stop()
        say({ side, values })
      }
    }
  }
}
