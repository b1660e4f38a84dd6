import { Effect, type Scope } from "effect"
import type { Address } from "../../../src/ports/transport.ts"
import { Chance } from "../chance.ts"
import type { TopicPartition } from "../history.ts"
import { administrating } from "../workload/admin.ts"
import { auditing } from "../workload/auditor.ts"
import { consuming } from "../workload/consumer.ts"
import { beingMember } from "../workload/member.ts"
import { settingMinIsr } from "../workload/min-isr.ts"
import { moving } from "../workload/mover.ts"
import { producing } from "../workload/producer.ts"
import { trimming } from "../workload/trimmer.ts"
import { coordinatorAddress } from "./group-place.ts"
import type { Platform, Program } from "./host.ts"
import { brokerAddress, leaderAddress, leaderName } from "./nodes.ts"
import type { World } from "./world.ts"

/** What the clients of a run are told while it runs. */
export interface Signals {
  /** Whether producers continue, and members still come and go. */
  busy: boolean
}
export type Topics = ReadonlyArray<readonly [topic: string, partitions: number]>
export interface Crew {
  /** Who changes logs, and ends when that is over. */
  readonly senders: ReadonlyArray<string>
  /** Groups of the library's consumers, with their size. */
  readonly consumerGroups: ReadonlyMap<string, number>
  /** Groups of members that speak the protocol themselves. */
  readonly memberGroups: ReadonlyMap<string, number>
}

export const placesOf = (topics: Topics): ReadonlyArray<TopicPartition> =>
  topics.flatMap(([topic, partitions]) => Array.from({ length: partitions }, (_, partition) => ({ topic, partition })))

/** A client that fails begins anew after a while, as its owner would let it. */
const stubborn = (world: World, process: string, work: Effect.Effect<void, unknown, Platform | Scope.Scope>): Program => {
  const again: Effect.Effect<void, never, Platform> = Effect.catchAll(Effect.scoped(work), (fault) =>
    Effect.sync(() => world.recorder.say(`${process} gave up: ${String(fault)}`)).pipe(
      Effect.zipRight(Effect.sleep(500)),
      Effect.zipRight(Effect.suspend(() => again))
    )
  )
  return again
}

/** Puts the clients of a run on machines of their own; `world.startAll` starts them. */
export const makeCrew = (world: World, topics: Topics, signals: Signals): Crew => {
  const { number, options, recorder } = world
  const nodes = [leaderAddress, ...Array.from({ length: options.brokers }, (_, n) => brokerAddress(n + 1))]
  const bootstrap = nodes.map(({ host, port }) => `${host}:${port}`).join(",")
  const hire = (name: string, work: (process: string, chance: Chance) => Effect.Effect<void, unknown, Platform | Scope.Scope>): string => {
    const chance = world.chance.fork()
    world.add(name, (process) => stubborn(world, process, work(process, chance)))
    return name
  }
  const shared = { recorder, bootstrap, number, goesOn: () => signals.busy, mayLeave: () => signals.busy }
  const producers = Array.from({ length: options.producers }, (_, n) =>
    hire(`producer-${n + 1}`, (process, chance) =>
      producing({
        ...shared,
        process,
        chance,
        topics,
        keysOf: (topic) => (recorder.compacted.has(topic) ? options.compaction?.keys : undefined),
        acks: n > 0 && n === options.producers - 1 ? 1 : "all",
        sendEveryMs: options.sendEveryMs,
        deliveryTimeoutMs: options.deliveryTimeoutMs,
        blindRetry: world.mutant.blindRetry ?? false
      })
    )
  )
  hire("admin", (process, chance) => administrating({ ...shared, process, chance }))
  const consumerGroups = new Map(options.consumerGroups.map((size, n) => [`readers-${n + 1}`, size] as const))
  for (const [group, size] of consumerGroups)
    for (let n = 1; n <= size; n++)
      hire(`${group}-${n}`, (process, chance) =>
        consuming({ ...shared, process, chance, group, topics: topics.map(([topic]) => topic), sessionTimeoutMs: options.groupSessionMs })
      )
  const memberGroups = new Map(options.memberGroups.map((size, n) => [`members-${n + 1}`, size] as const))
  for (const [group, size] of memberGroups)
    for (let n = 1; n <= size; n++)
      hire(`${group}-${n}`, (process, chance) => beingMember({ ...shared, process, chance, group, nodes, topics, sessionTimeoutMs: options.groupSessionMs }))
  const coordinates = (node: Address, group: string): boolean => {
    if (options.groupPartitions === undefined) return true
    const cluster = world.believer(leaderName)?.cluster()
    return cluster !== undefined && coordinatorAddress(cluster, group)?.host === node.host
  }
  hire("auditor", (process, chance) => auditing({ process, recorder, chance, nodes, places: placesOf(topics), groups: [...memberGroups.keys()], coordinates }))
  const { trimEveryMs: everyMs } = options
  // Kafka takes no DeleteRecords for what is only compacted.
  const trimmed = placesOf(topics.filter(([topic]) => !recorder.compacted.has(topic)))
  const trimmers =
    everyMs === undefined || trimmed.length === 0
      ? []
      : [hire("trimmer", (process, chance) => trimming({ ...shared, process, chance, brokers: nodes.slice(1), places: trimmed, everyMs }))]
  const moveEveryMs = options.replicated?.moveEveryMs
  const movable = placesOf(topics.filter(([topic]) => recorder.replicated.has(topic)))
  if (moveEveryMs !== undefined && movable.length > 0)
    hire("mover", (process, chance) => moving({ ...shared, process, chance, nodes, brokers: options.brokers, places: movable, everyMs: moveEveryMs }))
  const minIsrEveryMs = options.replicated?.minIsrEveryMs
  if (minIsrEveryMs !== undefined && recorder.replicated.size > 0)
    hire("operator", (process, chance) => settingMinIsr({ ...shared, process, chance, nodes, topics: [...recorder.replicated], everyMs: minIsrEveryMs }))
  return { senders: [...producers, ...trimmers], consumerGroups, memberGroups }
}
