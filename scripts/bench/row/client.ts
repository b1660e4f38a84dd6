import { join } from "node:path"
import { output } from "../process.ts"
import { produceOver } from "../produce-load.ts"
import { type Amount, type Figure, type OwnRow, type Sample, times } from "../row.ts"
import { createTopic } from "../topic.ts"

const clients = ["ours", "platformatic", "kafkajs"] as const
const modes = ["send", "produce", "consume"] as const
type Client = (typeof clients)[number]
const root = join(import.meta.dir, "../../..")
const programs: { readonly [C in Client]: string } = {
  ours: join(root, "scripts/bench/client/ours.ts"),
  platformatic: join(root, "scripts/bench/client/platformatic.ts"),
  kafkajs: join(root, "scripts/bench/client/kafkajs.ts")
}
type Mode = (typeof modes)[number]

const goals = { send: [times(1), times(1.3)], produce: [times(1), times(1.3)], consume: [times(1.3), times(2)] } as const
const says = {
  send: "sendMessage, one a call, 1,000 under way, acks=1",
  produce: "100 messages a call, 20 calls under way, acks=1",
  consume: "consume 100 B messages as the one member of a group"
}
const peers = [
  ["platformatic", "@platformatic/kafka"],
  ["kafkajs", "KafkaJS"]
] as const
const idOf = (mode: Mode, peer: Client): string => `13${"abc"[modes.indexOf(mode)]}-${peer}`

const figures: ReadonlyArray<Figure> = modes.flatMap((mode) =>
  peers.map(([peer, title]) => {
    const [must, stretch] = goals[mode]
    return { id: idOf(mode, peer), figure: `our client beside ${title}: ${says[mode]}`, unit: "msg/s", more: true, must, stretch }
  })
)

/** Our client and two others, each in a process of its own, under Bun, in turns at the same broker: ours. */
export const clientRow: OwnRow = {
  kind: "own",
  id: "13",
  name: "clients",
  figures,
  run: async (brokers, amount, say) => {
    const broker = await brokers.start("ours")
    const address = `127.0.0.1:${broker.port}`
    const filled = { topic: "clients-consume", partitions: 4, records: 1000, valueBytes: 100, acks: 1, connections: 1, inFlight: 2 } as const
    const requests = amount.tiny ? 8 : 1500
    await createTopic(broker.port, { name: "clients", partitions: 4 })
    await createTopic(broker.port, { name: filled.topic, partitions: filled.partitions })
    await produceOver(broker.port, { ...filled, requests })
    for (let round = 0; round < amount.rounds; round++) {
      for (const mode of modes) {
        const rates = new Map<Client, number>()
        for (const client of clients)
          rates.set(client, await rate(client, mode, address, mode === "consume" ? filled.topic : "clients", amount, requests * filled.records))
        for (const sample of samplesOf(mode, rates)) say(sample)
      }
    }
    await broker.stop()
  }
}

/** Our figure is compared with each of the others. */
const samplesOf = (mode: Mode, rates: ReadonlyMap<Client, number>): ReadonlyArray<Sample> =>
  peers.flatMap(([peer]): ReadonlyArray<Sample> => {
    const id = idOf(mode, peer)
    return [
      { side: "ours", values: { [id]: rates.get("ours") ?? Number.NaN } },
      { side: "peer", values: { [id]: rates.get(peer) ?? Number.NaN } }
    ]
  })

const rate = async (client: Client, mode: Mode, address: string, topic: string, { seconds }: Amount, messages: number): Promise<number> => {
  const printed = await output(process.execPath, [programs[client], mode, address, topic, String(seconds), String(messages)])
  const done = JSON.parse(printed.trim().split("\n").at(-1) ?? "") as { readonly messages: number; readonly seconds: number }
  return done.messages / done.seconds
}
