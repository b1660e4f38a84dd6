/** Attacks on the moves of logs between the data directories of a broker. */
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { AlterReplicaLogDirs } from "../../../src/protocol/message/34-alter-replica-log-dirs.ts"
import { DescribeLogDirs } from "../../../src/protocol/message/35-describe-log-dirs.ts"
import type { ResponseOf } from "../../../src/protocol/type/wire.ts"
import { type Aim, type Attack, scaled } from "../attack.ts"
import { pause, Raw, requestBytes, withRaw } from "../raw.ts"

const topicsMade = 100
/** With all names around them, the partitions are the most that one request may move. */
const partitionsEach = 98
/** Elements of a request that is refused: ten times as many as are allowed. */
const tooMany = 100_000
/** How long the moves may take once the attack is over, ms. */
const movedWithinMs = 240_000

type Topics = ReadonlyArray<{ readonly name: string; readonly partitions: ReadonlyArray<number> }>
const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, nth) => nth)
/** The topics that are made, and the one that the honest clients write to and read. */
const everything = (aim: Pick<Aim, "share">): Topics => [
  ...upTo(scaled(aim, topicsMade)).map((nth) => ({ name: `moved-${nth}`, partitions: upTo(partitionsEach) })),
  { name: "honest", partitions: [0, 1, 2] }
]
const moveTo = (path: string, topics: Topics): Uint8Array => requestBytes(AlterReplicaLogDirs, 2, { dirs: [{ path, topics }] })

/** Sends a request over a connection of its own. Whether it was answered, and not refused by the end of the connection. */
const isAnswered = async (port: number, frame: Uint8Array): Promise<boolean> =>
  (await withRaw(port, async (raw) => {
    await raw.send(frame)
    return await raw.frame()
  })) !== undefined

const described = (port: number): Promise<ResponseOf<typeof DescribeLogDirs> | undefined> =>
  withRaw(port, (raw) => raw.call(DescribeLogDirs, 5, { topics: null }))
const countOf = (directory: ResponseOf<typeof DescribeLogDirs>["results"][number] | undefined, isFuture: boolean): number =>
  directory?.topics.reduce((sum, { partitions }) => sum + partitions.filter(({ isFutureKey }) => isFutureKey === isFuture).length, 0) ?? 0

/** Moves that are not over, and whether every log that was to be moved is in the last directory. */
const look = async ({ port, share }: Aim) => {
  const directories = (await described(port))?.results ?? []
  const wanted = everything({ share })
  const last = new Map(directories.at(-1)?.topics.map(({ name, partitions }) => [name, partitions.filter(({ isFutureKey }) => !isFutureKey).length]))
  return {
    underWay: directories.reduce((sum, each) => sum + countOf(each, true), 0),
    missing: wanted.reduce((sum, { name, partitions }) => sum + partitions.length - (last.get(name) ?? 0), 0)
  }
}

const manyMoves: Attack = {
  name: "many-moves",
  about:
    "moves of 9,803 logs between two directories: all in one request, ten such requests at once for one directory and the other, and requests of what is not there or too much",
  directories: 2,
  run: async (aim) => {
    const { port } = aim
    const topics = everything(aim)
    const raw = await Raw.open(port)
    for (const { name, partitions } of topics.slice(0, -1))
      await raw?.call(CreateTopics, 4, {
        topics: [{ name, numPartitions: partitions.length, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 30_000
      })
    raw?.close()
    const [one = "", other = ""] = (await described(port))?.results.map(({ logDir }) => logDir) ?? []
    const refused: ReadonlyArray<Topics> = [
      [{ name: "honest", partitions: upTo(tooMany) }],
      [{ name: "honest", partitions: Array.from({ length: tooMany }, () => 0) }]
    ]
    const allowed = scaled(aim, 9_990)
    const odd: ReadonlyArray<Topics> = [
      [{ name: "nowhere", partitions: upTo(allowed) }],
      [{ name: "honest", partitions: Array.from({ length: allowed }, () => 0) }]
    ]
    let answered = 0
    for (const each of [...refused, ...odd]) if (await isAnswered(port, moveTo(other, each))) answered++
    let looks = 0
    let rounds = 0
    let isMoving = true
    const looking = (async () => {
      while (isMoving && aim.goesOn()) {
        await described(port)
        looks++
        await pause(20)
      }
    })()
    do {
      for (const path of [other, one, other]) if (await isAnswered(port, moveTo(path, topics))) answered++
      await Promise.all(upTo(10).map(async (nth) => void ((await isAnswered(port, moveTo(nth % 2 === 0 ? one : other, topics))) && answered++)))
      rounds++
      await pause(1000)
    } while (aim.goesOn())
    isMoving = false
    await looking
    await isAnswered(port, moveTo(other, topics))
    return `${answered} requests were answered in ${rounds} rounds, and ${looks} DescribeLogDirs of everything meanwhile`
  },
  verify: async (aim) => {
    const until = performance.now() + movedWithinMs
    let now = await look(aim)
    while ((now.underWay > 0 || now.missing > 0) && performance.now() < until) {
      await pause(500)
      now = await look(aim)
    }
    return now.underWay + now.missing === 0 ? undefined : `${now.underWay} moves did not end, ${now.missing} logs are not where they were to be moved`
  }
}

export const moveAttacks: ReadonlyArray<Attack> = [manyMoves]
