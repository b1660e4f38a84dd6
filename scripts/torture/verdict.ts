import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Either } from "effect"
import { type RecordBatch, readableBatches, verify } from "../../domain/log/batch.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { checkLog } from "../../test/simulation/checker/log.ts"
import { recordsOf } from "../../test/simulation/checker/record-read.ts"
import { batchRead } from "../../test/simulation/world/disk-reading.ts"
import { output } from "../bench/process.ts"
import type { Client } from "./clients.ts"
import { type Site, until, untilWhole, type Watched } from "./site.ts"

const flushWithinMs = 180_000
const readWithinMs = 120_000

/** Ends the sending, and waits until every message has its outcome, every replica is in sync, and every reader has every acknowledged record. */
export const comeToRest = async (site: Watched, running: ReadonlyArray<Client>): Promise<void> => {
  for (const client of running) client.stopSending()
  await until("every message has its outcome", () => running.every(({ hasFlushed }) => hasFlushed), flushWithinMs)
  await untilWhole(site)
  const { observed } = site
  const missing = () =>
    running.flatMap(({ kind }) =>
      Array.from({ length: site.partitions }, (_, partition) => partition)
        .filter((partition) => observed.readTo(kind, partition) < observed.acknowledgedTo(partition))
        .map((partition) => `${kind} ${partition}@${observed.readTo(kind, partition)} of ${observed.acknowledgedTo(partition)}`)
    )
  await until("every reader has every acknowledged record", () => missing().length === 0, readWithinMs).catch((cause: unknown) => {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}: ${missing().join("; ")}`)
  })
}

/** Every batch of a partition on the disk of a broker, and where the log is damaged. */
const logOf = (directory: string): { readonly batches: ReadonlyArray<RecordBatch>; readonly damage: string | undefined } => {
  const batches: Array<RecordBatch> = []
  const segments = readdirSync(directory).filter((name) => name.endsWith(".log"))
  for (const name of segments.toSorted()) {
    const read = readableBatches(new Uint8Array(readFileSync(join(directory, name))))
    if (Either.isLeft(read)) return { batches, damage: `${join(directory, name)}: ${read.left.message}` }
    batches.push(...read.right)
  }
  const bad = batches.find((batch) => verify(batch, crc32c) !== undefined)
  return { batches, damage: bad === undefined ? undefined : `${directory}: the batch at ${bad.baseOffset} does not match its checksum` }
}

const digestOf = (batches: ReadonlyArray<RecordBatch>): string => {
  const hash = createHash("sha256")
  for (const { bytes } of batches) hash.update(bytes)
  return hash.digest("hex")
}
const describe = (batches: ReadonlyArray<RecordBatch>): string => `${batches.length} batches, end ${batches.at(-1)?.nextOffset ?? 0}`

/** Where two logs are different. */
const difference = (one: ReadonlyArray<RecordBatch>, other: ReadonlyArray<RecordBatch>): string => {
  const at = one.findIndex((batch, nth) => !Buffer.from(batch.bytes).equals(other[nth]?.bytes ?? new Uint8Array()))
  const shown = (batch: RecordBatch | undefined) =>
    batch === undefined ? "nothing" : `${batch.baseOffset}-${batch.lastOffset} of epoch ${batch.partitionLeaderEpoch} by producer ${batch.producerId}`
  const nth = at === -1 ? one.length : at
  return `from batch ${nth} on: ${shown(one[nth])} and ${shown(other[nth])}`
}

/** What is judged: the history of the clients, and the disks. */
interface Judged extends Pick<Site, "topic" | "topicId" | "partitions" | "observed" | "complain"> {
  readonly nodes: {
    readonly brokers: ReadonlyMap<number, { readonly id: number; readonly data: string }>
    /** The directory of the leader's journal; undefined: the journal is in etcd. */
    readonly leaderData: string | undefined
  }
}

/** Compares the logs of all replicas, and notes them for the checkers. The nodes have ended. */
const compareReplicas = (site: Judged): void => {
  const { complain, nodes, observed, topic } = site
  const { recorder } = observed
  for (let partition = 0; partition < site.partitions; partition++) {
    const replicas = [...nodes.brokers.values()].flatMap(({ data, id }) => {
      const directory = join(data, `${site.topicId}-${partition}`)
      return existsSync(directory) ? [{ id, ...logOf(directory) }] : []
    })
    if (replicas.length !== nodes.brokers.size) complain(`R4: ${topic}-${partition} has ${replicas.length} logs on ${nodes.brokers.size} disks`)
    const [first, ...others] = replicas
    for (const { damage } of replicas) if (damage !== undefined) complain(`L6: ${damage}`)
    if (first === undefined) continue
    for (const other of others)
      if (digestOf(other.batches) !== digestOf(first.batches))
        complain(
          `R4: ${topic}-${partition} on broker ${first.id} (${describe(first.batches)}) and broker ${other.id} (${describe(other.batches)}) are different ${difference(first.batches, other.batches)}`
        )
    const since = recorder.next()
    const end = first.batches.at(-1)?.nextOffset ?? 0
    const log = { topic, partition, since, at: recorder.next(), source: "final", batches: first.batches.map(batchRead), end } as const
    recorder.logs.push(log)
    observed.locate(partition, new Map(recordsOf(log).map(({ offset, value }) => [value, offset])))
  }
}
/** Runs `franz log verify` over a data directory. */
const verifyDisk = async (site: Judged, name: string, data: string, program: ReadonlyArray<string>): Promise<void> => {
  const [command = "", ...args] = program
  try {
    await output(command, [...args, "log", "verify", data])
  } catch (cause) {
    site.complain(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

/** Judges the disks of nodes that have ended, and the history of their clients. */
export const judge = async (site: Judged, program: ReadonlyArray<string>): Promise<void> => {
  compareReplicas(site)
  if (site.nodes.leaderData !== undefined) await verifyDisk(site, "leader", site.nodes.leaderData, program)
  for (const { data, id } of site.nodes.brokers.values()) await verifyDisk(site, `broker ${id}`, data, program)
  for (const { invariant, message } of checkLog(site.observed.recorder.history)) site.complain(`${invariant}: ${message}`)
}
