import { Either, HashMap, Schema } from "effect"
import type { Assignor } from "../../../domain/group/assignor/assignor.ts"
import { metadataOf } from "../../../domain/group/classic/member.ts"
import { joinResponse, replacedResponse, syncResponse } from "../../../domain/group/classic/response.ts"
import { phaseDeadline, sessionEnd, watched } from "../../../domain/group/classic/session.ts"
import { sortedMembers } from "../../../domain/group/classic/state.ts"
import { subscriptionTopics } from "../../../domain/group/classic/subscription.ts"
import { Command } from "../../../domain/group/command.ts"
import { decide } from "../../../domain/group/decide.ts"
import { Event } from "../../../domain/group/event.ts"
import { evolve } from "../../../domain/group/evolve.ts"
import { groupId, type MemberId, memberId } from "../../../domain/group/id.ts"
import type { Limits } from "../../../domain/group/limits.ts"
import { fromSnapshot, Snapshot, toSnapshot } from "../../../domain/group/snapshot.ts"
import { type Group, initial } from "../../../domain/group/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { subscription, topic } from "./given.ts"

const g = groupId("g")
const json = new TextEncoder()
const read = <A>(bytes: Uint8Array): A | undefined => (bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes)))
type Owned = ReadonlyArray<{ readonly topic: string; readonly partitions: ReadonlyArray<number> }>
export const places = (owned: Owned): ReadonlyArray<string> => owned.flatMap(({ topic, partitions }) => partitions.map((partition) => `${topic}-${partition}`))

const encode = Schema.encodeSync(Schema.parseJson(Event))
const decode = Schema.decodeSync(Schema.parseJson(Event))

/**
 * A leader with one group, in virtual time: it decides, journals, expires sessions, completes delayed requests; it can crash
 * and restart from its journal.
 */
export class World {
  now = 1_000_000
  group: Group = initial
  resumedAt = this.now
  readonly journal: Array<string> = []
  readonly clients: Array<Client> = []
  #saved: { readonly at: number; readonly state: string } = { at: 0, state: "" }
  readonly #heard = new Map<MemberId, number>()
  readonly #waiting = new Map<Client, () => void>()
  #drawn = 0

  constructor(
    readonly limits: Limits,
    readonly assignor: Assignor,
    readonly partitions: ReadonlyMap<string, number>
  ) {}

  start(topics: ReadonlyArray<string>, instanceId: string | null, sessionTimeoutMs: number): Client {
    const client = new Client(this, topics, instanceId, sessionTimeoutMs)
    this.clients.push(client)
    return client
  }

  fresh(): MemberId {
    return memberId(`m${this.#drawn++}`)
  }
  hear(id: MemberId): void {
    this.#heard.set(id, this.now)
  }

  submit(command: Command): Either.Either<ReadonlyArray<Event>, string> {
    const decision = decide(this.limits)(this.group, command)
    if (Either.isLeft(decision)) return Either.left(decision.left.error)
    for (const event of decision.right) {
      this.journal.push(encode(event))
      this.group = evolve(this.group, event)
      if (event._tag === "AssignmentsSet") this.#checkOwnership()
    }
    if (decision.right.length > 0) for (const wake of Array.from(this.#waiting.values())) wake()
    return Either.right(decision.right)
  }

  /** G1: in this generation every partition with a subscriber is owned by one member, which subscribes to it. */
  #checkOwnership(): void {
    const owners = new Map<string, string>()
    const wanted = new Set<string>()
    for (const member of sortedMembers(this.group)) {
      const topics = subscriptionTopics(metadataOf(member, this.group.protocolName)) ?? []
      for (const name of topics) for (let p = 0; p < (this.partitions.get(name) ?? 0); p++) wanted.add(`${name}-${p}`)
      for (const place of places(read<Owned>(member.assignment) ?? [])) {
        if (owners.has(place)) throw new Error(`G1: ${place} is at ${owners.get(place)} and ${member.memberId} in generation ${this.group.generation}`)
        if (!topics.includes(place.slice(0, place.lastIndexOf("-")))) throw new Error(`G1: ${member.memberId} does not subscribe to ${place}`)
        owners.set(place, member.memberId)
      }
    }
    for (const place of wanted) if (!owners.has(place)) throw new Error(`G1: ${place} is left out in generation ${this.group.generation}`)
  }

  wait(client: Client, look: () => boolean): void {
    // With its response it may wait again, for another one.
    this.#waiting.set(client, () => {
      this.#waiting.delete(client)
      if (!look()) this.wait(client, look)
    })
  }
  forget(client: Client): void {
    this.#waiting.delete(client)
  }

  save(): void {
    this.#saved = { at: this.journal.length, state: JSON.stringify(Schema.encodeSync(Snapshot)(toSnapshot(this.group))) }
  }
  /** The leader crashes and restarts: volatile state is lost, and every connection is closed. */
  restart(): void {
    const from = this.#saved.state === "" ? initial : fromSnapshot(Schema.decodeSync(Snapshot)(JSON.parse(this.#saved.state)))
    this.group = fold(
      evolve,
      from,
      this.journal.slice(this.#saved.at).map((line) => decode(line))
    )
    this.#heard.clear()
    this.#waiting.clear()
    this.resumedAt = this.now
    for (const client of this.clients) client.cut()
  }

  /** Half a second passes. */
  tick(): void {
    this.now += 500
    const deadline = phaseDeadline(this.group, this.resumedAt)
    if (deadline !== null && this.now >= deadline.at)
      this.submit(
        deadline._tag === "CompleteJoin"
          ? Command.CompleteJoin({ groupId: g, at: this.now })
          : Command.ExpireSync({ groupId: g, at: this.now, generation: deadline.generation })
      )
    for (const id of watched(this.group)) {
      const heardAt = Math.max(this.#heard.get(id) ?? 0, this.resumedAt)
      const end = sessionEnd(this.limits, this.group, id, heardAt)
      if (end !== null && this.now >= end) this.submit(Command.ExpireMember({ groupId: g, at: this.now, memberId: id, heardAt }))
    }
    for (const client of this.clients) client.tick()
  }
}

/**
 * A consumer as Kafka's clients behave: joins, assigns when it leads, syncs, heartbeats, commits, rejoins when
 * the coordinator requires it.
 */
class Client {
  alive = true
  /** Does nothing until then: a long pause, or a slow network. */
  pausedUntil = 0
  owned: Owned = []
  generation = -1
  state: "start" | "waiting" | "in" | "fenced" = "start"
  id: MemberId = memberId("")
  #beatAt = 0
  /** Responses that arrived while it was paused. */
  #inbox: Array<() => void> = []

  constructor(
    readonly world: World,
    public topics: ReadonlyArray<string>,
    readonly instanceId: string | null,
    readonly sessionTimeoutMs: number
  ) {}

  cut(): void {
    this.#inbox = []
    if (this.state === "waiting") this.state = "start"
  }
  crash(): void {
    this.alive = false
    this.world.forget(this)
  }
  /** A crashed consumer restarts without state, as a new process does. */
  revive(): void {
    this.alive = true
    this.id = memberId("")
    this.owned = []
    this.state = "start"
    this.#inbox = []
  }
  leave(): void {
    if (!this.alive) return
    if (this.id !== "") this.world.submit(Command.Leave({ groupId: g, at: this.world.now, members: [{ memberId: this.id, instanceId: this.instanceId }] }))
    this.crash()
  }

  tick(): void {
    if (!this.alive || this.world.now < this.pausedUntil) return
    for (const answer of this.#inbox.splice(0)) answer()
    if (this.state === "start") this.#join()
    else if (this.state === "in" && this.world.now - this.#beatAt >= this.sessionTimeoutMs / 3) this.#beat()
  }

  /** Handles a response: at once, or after the pause. */
  #later(act: () => void): void {
    if (this.world.now < this.pausedUntil) this.#inbox.push(act)
    else act()
  }

  #refused(error: string): void {
    if (error === "FENCED_INSTANCE_ID") this.state = "fenced"
    else {
      if (error === "UNKNOWN_MEMBER_ID" || error === "ILLEGAL_GENERATION") this.owned = []
      if (error === "UNKNOWN_MEMBER_ID") this.id = memberId("")
      this.state = "start"
    }
  }

  #join(): void {
    const { world } = this
    const protocols = [{ name: world.assignor.name, metadata: Uint8Array.from(subscription(...this.topics)) }]
    const fresh = world.fresh()
    const timeouts = { sessionTimeoutMs: this.sessionTimeoutMs, rebalanceTimeoutMs: 30_000 }
    const asked = {
      groupId: g,
      at: world.now,
      memberId: this.id,
      newMemberId: fresh,
      memberIdRequired: true,
      instanceId: this.instanceId,
      clientId: "c",
      clientHost: "h"
    }
    const decision = world.submit(Command.Join({ ...asked, ...timeouts, protocolType: "consumer", protocols, reason: "" }))
    if (Either.isLeft(decision)) return this.#refused(decision.left)
    const effective = this.id === "" ? fresh : this.id
    world.hear(effective)
    this.state = "waiting"
    const replaced = decision.right.find((event) => event._tag === "MemberReplaced")
    if (replaced !== undefined && decision.right.length === 1) return this.#joined(replacedResponse(world.group, effective, replaced.replacedId, true))
    const look = (): boolean => {
      const answer = joinResponse(world.group, effective, this.instanceId)
      if (answer._tag === "Wait") return false
      this.#later(() => this.#joined(answer))
      return true
    }
    if (!look()) world.wait(this, look)
  }

  #joined(answer: ReturnType<typeof joinResponse>): void {
    const { world } = this
    if (answer._tag === "Refused") return this.#refused(answer.error)
    if (answer._tag === "MemberIdRequired") {
      this.id = answer.memberId
      this.state = "start"
      return
    }
    if (answer._tag === "Wait") return
    this.id = answer.memberId
    this.generation = answer.generation
    const leads = answer.leader === this.id && !answer.skipAssignment
    const assignments = leads ? this.#assign(answer.members) : []
    const decision = world.submit(
      Command.Sync({
        groupId: g,
        at: world.now,
        memberId: this.id,
        instanceId: this.instanceId,
        generation: this.generation,
        protocolType: "consumer",
        protocolName: answer.protocolName,
        assignments
      })
    )
    if (Either.isLeft(decision)) return this.#refused(decision.left)
    world.hear(this.id)
    const look = (): boolean => {
      const answer = syncResponse(world.group, this.id, this.instanceId, this.generation)
      if (answer._tag === "Wait") return false
      this.#later(() => {
        if (answer._tag === "Refused") return this.#refused(answer.error)
        this.owned = answer._tag === "Assigned" ? (read<Owned>(answer.assignment) ?? []) : []
        this.state = "in"
        this.#beatAt = world.now
      })
      return true
    }
    if (!look()) world.wait(this, look)
  }

  #assign(members: ReadonlyArray<{ readonly memberId: MemberId; readonly instanceId: string | null; readonly metadata: Uint8Array }>) {
    const subscriptions = new Map(
      members.map(({ memberId, instanceId, metadata }) => [
        memberId as string,
        { topics: subscriptionTopics(metadata) ?? [], ownedPartitions: [], generation: null, userData: null, instanceId }
      ])
    )
    return Array.from(this.world.assignor.assign(subscriptions, this.world.partitions), ([to, owned]) => ({
      memberId: memberId(to),
      assignment: json.encode(JSON.stringify(owned))
    }))
  }

  #beat(): void {
    const { world } = this
    this.#beatAt = world.now
    const decision = world.submit(Command.Heartbeat({ groupId: g, memberId: this.id, instanceId: this.instanceId, generation: this.generation }))
    if (Either.isRight(decision) || decision.left === "REBALANCE_IN_PROGRESS") world.hear(this.id)
    if (Either.isLeft(decision)) this.#refused(decision.left)
  }

  /** Returns whether the commit was accepted. */
  commit(name: string, offset: number): boolean {
    const { world } = this
    const place = { topic: topic(name), partition: 0, offset, leaderEpoch: -1, metadata: "", commitAt: world.now, expiresAt: null, topicId: null }
    const who = { memberId: this.id, instanceId: this.instanceId, generation: this.generation }
    return Either.isRight(world.submit(Command.CommitOffsets({ groupId: g, at: world.now, ...who, offsets: [place] })))
  }
}

export const isMember = (group: Group, client: Client): boolean => HashMap.has(group.members, client.id)
