import { Clock, Effect, type Scope } from "effect"
import { brokerOf, liveBrokers, topicByName } from "../../../domain/cluster/state.ts"
import { groupMetadataTopic, groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Transport } from "../../../src/ports/transport.ts"
import { DescribeGroups } from "../../../src/protocol/message/15-describe-groups.ts"
import type { Link } from "../../../src/wire/link.ts"
import type { TopicPartition } from "../history.ts"
import { committedOffset, extentOf, type Fetched, fetchFrom, readOffset } from "../workload/auditor.ts"
import { linkTo } from "../workload/link.ts"
import { type Crew, placesOf, type Topics } from "./crew.ts"
import { groupStreamCount } from "./folds.ts"
import { coordinatorAddress } from "./group-place.ts"
import { brokerName, leaderAddress, leaderName } from "./nodes.ts"
import type { World } from "./world.ts"

type Looking<A> = Effect.Effect<A, unknown, Transport | Scope.Scope>
/** What the readings go by. */
type Readable = Pick<World, "believer" | "options" | "recorder">
const describeVersion = 5

/** What is not whole yet: a partition without all its replicas in sync, or one that still moves. */
export const missingReplicas = (world: World, topics: Topics): string | undefined => {
  const cluster = world.believer(leaderName)?.cluster()
  if (cluster === undefined) return "the leader does not serve"
  const own: Topics = groupPartitions(cluster) === undefined ? [] : [[groupMetadataTopic, groupStreamCount]]
  for (const place of placesOf([...topics, ...own])) {
    const partition = topicByName(cluster, place.topic)?.partitions.at(place.partition)
    const name = `${place.topic}-${place.partition}`
    if (partition === undefined) return `${name} is not there`
    const { adding, isr, leader, removing, replicas } = partition
    const shown = `${name} has the replicas ${replicas}, in sync ${isr}, leader ${leader}`
    if (adding.length + removing.length > 0) return `${shown}, and moves: ${adding} are added, ${removing} are removed`
    if (leader === -1 || isr.length < replicas.length) return shown
  }
  return undefined
}

/** Which broker does not serve; undefined where all do. */
export const missingBrokers = (world: World): string | undefined => {
  const cluster = world.believer(leaderName)?.cluster()
  if (cluster === undefined) return "the leader does not serve"
  for (let id = 1; id <= world.options.brokers; id++) {
    if (world.believer(brokerName(id)) === undefined) return `broker ${id} does not run`
    if (brokerOf(cluster, id)?.fenced !== false) return `broker ${id} is not unfenced`
  }
  return undefined
}

/** What has not come to rest yet; undefined when everything has. */
export const unrest = (world: World, crew: Crew, topics: Topics): Looking<string | undefined> =>
  Effect.gen(function* () {
    const missing = missingBrokers(world) ?? missingReplicas(world, topics) ?? missingHandOver(world)
    if (missing !== undefined) return missing
    const busy = crew.senders.find((name) => world.host(name).isUp)
    if (busy !== undefined) return `${busy} waits for answers`
    return (yield* groupsUnrest(world, crew)) ?? (yield* lag(world, crew, topics))
  })

/** Whether the brokers do not coordinate the groups yet, although they are to. */
const missingHandOver = (world: World): string | undefined => {
  const cluster = world.believer(leaderName)?.cluster()
  if (!world.isHandingOver || (cluster !== undefined && groupPartitions(cluster) !== undefined)) return undefined
  return "the leader has not handed its groups over"
}

/** Connections to the coordinators of groups: one for all where the cluster's leader coordinates them. */
const linksToCoordinators = (world: Readable): Looking<(group: string) => Looking<Link | undefined>> =>
  Effect.gen(function* () {
    if (world.options.groupPartitions === undefined) {
      const link = yield* linkTo(leaderAddress, "observer")
      return () => Effect.succeed(link)
    }
    return (group: string) => {
      const cluster = world.believer(leaderName)?.cluster()
      const address = cluster === undefined ? undefined : coordinatorAddress(cluster, group)
      return address === undefined ? Effect.succeed(undefined) : linkTo(address, "observer")
    }
  })

const groupsUnrest = (world: World, { consumerGroups, memberGroups }: Crew): Looking<string | undefined> =>
  Effect.gen(function* () {
    const expected = [...consumerGroups, ...memberGroups]
    if (expected.length === 0) return undefined
    const linkTo = yield* linksToCoordinators(world)
    for (const [group, size] of expected) {
      const link = yield* linkTo(group)
      if (link === undefined) return `no node coordinates ${group}`
      const { groups } = yield* link.call(DescribeGroups, { groups: [group] }, { version: describeVersion })
      const [found] = groups
      const error = kafkaError(found?.errorCode ?? -1)
      if (error !== "NONE") return `${group}: ${error}`
      if (found?.groupState !== "Stable" || found.members.length !== size) return `${group} is ${found?.groupState} with ${found?.members.length} members`
    }
    return undefined
  })

const lag = (world: World, { consumerGroups }: Crew, topics: Topics): Looking<string | undefined> =>
  Effect.gen(function* () {
    const linkTo = yield* linksToCoordinators(world)
    const links = new Map<string, Link>()
    for (const group of consumerGroups.keys()) {
      const link = yield* linkTo(group)
      if (link === undefined) return `no node coordinates ${group}`
      links.set(group, link)
    }
    for (const place of placesOf(topics)) {
      const extent = yield* Effect.scoped(extentAt(world, place))
      const name = `${place.topic}-${place.partition}`
      if (extent === undefined) return `no broker serves ${name}`
      const { end, start } = extent
      for (const [group, link] of links) {
        const committed = yield* committedOffset(link, group, place)
        // What was deleted before a group came to it is never committed.
        if (committed !== end && start !== end) return `${group} has committed ${committed} of ${end} in ${name}`
      }
    }
    return undefined
  })

/** A connection to the partition's leader. */
const linkToLeader = (world: Readable, place: TopicPartition): Looking<Link | undefined> =>
  Effect.suspend(() => {
    const cluster = world.believer(leaderName)?.cluster()
    const leader = cluster === undefined ? undefined : topicByName(cluster, place.topic)?.partitions.at(place.partition)?.leader
    const broker = cluster === undefined || leader === undefined ? undefined : liveBrokers(cluster).find(({ id }) => id === leader)
    return broker === undefined ? Effect.succeed(undefined) : linkTo({ host: broker.host, port: broker.port }, "observer")
  })
const fetchAt = (world: Readable, place: TopicPartition, offset: number, maxBytes: number): Looking<Fetched | undefined> =>
  Effect.flatMap(linkToLeader(world, place), (link) => (link === undefined ? Effect.succeed(undefined) : fetchFrom(link, place, offset, maxBytes)))
const extentAt = (world: Readable, place: TopicPartition) =>
  Effect.flatMap(linkToLeader(world, place), (link) => (link === undefined ? Effect.succeed(undefined) : extentOf(link, place)))

/** What the last reading found: `since` when, in the order of the history. */
interface FinalRead extends Pick<Fetched, "batches"> {
  readonly since: number
  readonly end: number
}

/** How long the last reading asks again for what no broker serves, ms, and the pause between two questions. */
const answerMs = 5000
const pauseMs = 500
/** Asks until there is an answer, as a consumer does: preferred leaders are elected at rest, too. */
const answered = <A>(ask: Looking<A | undefined>): Looking<A | undefined> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + answerMs
    for (;;) {
      const answer = yield* Effect.scoped(ask)
      if (answer !== undefined || (yield* Clock.currentTimeMillis) >= until) return answer
      yield* Effect.sleep(pauseMs)
    }
  })

/** Reads a log from its start to its end; returns undefined, and notes it, where that cannot be done. */
const readLog = (world: Readable, place: TopicPartition): Looking<FinalRead | undefined> =>
  Effect.gen(function* () {
    const { recorder } = world
    const name = `${place.topic}-${place.partition}`
    let since = recorder.next()
    let batches: ReadonlyArray<Fetched["batches"][number]> = []
    let extent = yield* answered(extentAt(world, place))
    for (let next = extent?.start ?? 0; extent !== undefined; ) {
      const { end } = extent
      // A leader that was elected since may not know yet that all up to the end is committed.
      const knowsEnd = (fetched: Fetched | undefined) => (fetched === undefined || fetched.highWatermark < end ? undefined : fetched)
      const fetched = yield* answered(Effect.map(fetchAt(world, place, next, 1_000_000), knowsEnd))
      if (fetched !== undefined) {
        const fresh = fetched.batches.filter(({ lastOffset }) => lastOffset >= next)
        batches = [...batches, ...fresh]
        next = (fresh.at(-1)?.lastOffset ?? next - 1) + 1
        if (next >= fetched.highWatermark || fresh.length === 0) return { since, batches, end }
        continue
      }
      // One that was elected since may have deleted more: no leader has confirmed that, and the log is read as it is there.
      extent = yield* answered(extentAt(world, place))
      if (extent !== undefined && extent.start <= next) {
        recorder.unfinished.push(`${name} could not be read from ${next} on`)
        return undefined
      }
      since = recorder.next()
      batches = []
      next = extent?.start ?? next
    }
    recorder.unfinished.push(`no broker tells where ${name} starts and ends`)
    return undefined
  })

/** Reads every log from its start to its end, and every committed offset of the members' groups. */
export const readAll = (world: Readable, { memberGroups }: Pick<Crew, "memberGroups">, topics: Topics): Looking<void> =>
  Effect.gen(function* () {
    const { recorder } = world
    const linkTo = yield* linksToCoordinators(world)
    for (const place of placesOf(topics)) {
      const read = yield* readLog(world, place)
      if (read === undefined) return
      recorder.logs.push({ ...place, ...read, at: recorder.next(), source: "final" })
      for (const group of memberGroups.keys()) {
        const link = yield* linkTo(group)
        if (link !== undefined) yield* readOffset({ process: "observer", recorder }, link, group, place)
      }
    }
  })
