import { join } from "node:path"
import { buildConfluent, buildFranzGo, buildLibrdkafka } from "../native-clients.ts"
import { output } from "../process.ts"
import { produceOver } from "../produce-load.ts"
import { type Amount, type Figure, type OwnRow, type Sample, times } from "../row.ts"
import { createTopic } from "../topic.ts"

const clients = ["ours", "platformatic", "kafkajs", "confluent", "librdkafka", "franz-go"] as const
const modes = ["send", "produce", "consume"] as const
type Client = (typeof clients)[number]
const root = join(import.meta.dir, "../../..")
const programs = {
  ours: join(root, "scripts/bench/client/ours.ts"),
  platformatic: join(root, "scripts/bench/client/platformatic.ts"),
  kafkajs: join(root, "scripts/bench/client/kafkajs.ts")
} as const
type Mode = (typeof modes)[number]

const goals = { send: [times(1), times(1.3)], produce: [times(1), times(1.3)], consume: [times(1.3), times(2)] } as const
const says = {
  send: "sendMessage, one a call, 1,000 under way, acks=1",
  produce: "100 messages a call, 20 calls under way, acks=1",
  consume: "consume 100 B messages as the one member of a group"
}
const peers = [
  ["platformatic", "@platformatic/kafka"],
  ["kafkajs", "KafkaJS"],
  ["confluent", "confluent-kafka-javascript under Node"],
  ["librdkafka", "librdkafka from C"],
  ["franz-go", "franz-go"]
] as const
const idOf = (mode: Mode, peer: Client): string => `13${"abc"[modes.indexOf(mode)]}-${peer}`
const cpuIdOf = (mode: Mode, peer: Client): string => `${idOf(mode, peer)}-cpu`
const memoryIdOf = (mode: Mode, peer: Client): string => `${idOf(mode, peer)}-memory`
/** A client that has not ended so long after its time is killed, ms: it connects, joins a group and settles its calls within that. */
const lateMs = 60_000
/** No further round begins after this time, ms: a row with slow clients ends, too. */
const roundsBeginWithinMs = 240_000
/** They compile to machine code and use several threads: a figure beside them has no goal. */
const isNative = (peer: Client): boolean => peer === "librdkafka" || peer === "franz-go" || peer === "confluent"

const figures: ReadonlyArray<Figure> = modes.flatMap((mode) =>
  peers.flatMap(([peer, title]): ReadonlyArray<Figure> => {
    const [must, stretch] = goals[mode]
    const figure = `our client beside ${title}: ${says[mode]}`
    return [
      { id: idOf(mode, peer), figure, unit: "msg/s", more: true, ...(isNative(peer) ? { stretch: times(0.8) } : { must, stretch }) },
      { id: cpuIdOf(mode, peer), figure: "processor time of the client a message", unit: "µs", more: false },
      { id: memoryIdOf(mode, peer), figure: "largest resident memory of the client", unit: "MiB", more: false }
    ]
  })
)

/**
 * Our client and the others, each in a process of its own, in turns at the same broker: ours. Those of TypeScript run
 * under Bun; the native ones where this machine can build them.
 */
export const clientRow: OwnRow = {
  kind: "own",
  id: "13",
  name: "clients",
  figures,
  run: async (brokers, amount, say) => {
    const broker = await brokers.start("ours")
    const address = `127.0.0.1:${broker.port}`
    const filled = { topic: "clients-consume", partitions: 4, records: 1000, valueBytes: 100, acks: 1, connections: 1, inFlight: 2 } as const
    const commands = amount.tiny ? ofTypeScript : [...ofTypeScript, ...nativeHere()]
    const requests = amount.tiny ? 8 : 1500
    await createTopic(broker.port, { name: "clients", partitions: 4 })
    await createTopic(broker.port, { name: filled.topic, partitions: filled.partitions })
    await produceOver(broker.port, { ...filled, requests })
    const failed = new Set<string>()
    const begun = performance.now()
    for (let round = 0; round < amount.rounds && performance.now() - begun < roundsBeginWithinMs; round++) {
      for (const mode of modes) {
        const rates = new Map<Client, Rate>()
        for (const [client, command] of commands) {
          // It would fail again, or take its whole time again.
          if (failed.has(`${client} ${mode}`)) continue
          const topic = mode === "consume" ? filled.topic : "clients"
          const measured = rate(command, mode, address, topic, amount, requests * filled.records)
          // A client that fails, or does not end, costs its own figures alone.
          const noted = await measured.catch((failure: unknown) => console.error(`${client} has no figure for ${mode}: ${failure}`))
          if (noted === undefined) failed.add(`${client} ${mode}`)
          else rates.set(client, noted)
        }
        for (const sample of samplesOf(mode, rates)) say(sample)
      }
    }
    await broker.stop()
  }
}

type Command = ReadonlyArray<string>
type ClientCommand = readonly [Client, Command]
const ofTypeScript: ReadonlyArray<ClientCommand> = (["ours", "platformatic", "kafkajs"] as const).map((client) => [
  client,
  [process.execPath, programs[client]]
])
/** The native clients that this machine has, or can build. */
const nativeHere = (): ReadonlyArray<ClientCommand> => {
  const built = [
    ["confluent", buildConfluent()],
    ["librdkafka", buildLibrdkafka()],
    ["franz-go", buildFranzGo()]
  ] as const
  return built.flatMap(([client, command]): ReadonlyArray<ClientCommand> => {
    if (!("lacks" in command)) return [[client, command]]
    console.error(`${client} is not measured: ${command.lacks}.`)
    return []
  })
}

interface Rate {
  readonly perSecond: number
  /** Processor time of the client a message, µs. */
  readonly cpu: number
  readonly peakMiB: number
}
/** Our figure is compared with each of the others. */
const samplesOf = (mode: Mode, rates: ReadonlyMap<Client, Rate>): ReadonlyArray<Sample> =>
  peers.flatMap(([peer]): ReadonlyArray<Sample> => {
    const other = rates.get(peer)
    const own = rates.get("ours")
    if (other === undefined || own === undefined) return []
    const values = ({ cpu, peakMiB, perSecond }: Rate) => ({
      [idOf(mode, peer)]: perSecond,
      [cpuIdOf(mode, peer)]: cpu,
      [memoryIdOf(mode, peer)]: peakMiB
    })
    return [
      { side: "ours", values: values(own) },
      { side: "peer", values: values(other) }
    ]
  })

/** What a client prints. */
interface Printed {
  readonly messages: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMiB: number
}
const rate = async ([program = "", ...args]: Command, mode: Mode, address: string, topic: string, { seconds }: Amount, messages: number): Promise<Rate> => {
  const printed = await output(program, [...args, mode, address, topic, String(seconds), String(messages)], {}, seconds * 1000 + lateMs)
  const { cpuSeconds, messages: counted, peakMiB, seconds: took } = JSON.parse(printed.trim().split("\n").at(-1) ?? "") as Printed
  return { perSecond: counted / took, cpu: (cpuSeconds / counted) * 1e6, peakMiB }
}
