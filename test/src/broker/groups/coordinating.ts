import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { FindCoordinator } from "../../../../src/protocol/message/10-find-coordinator.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { Member } from "../../groups/support.ts"
import type { ReplicatedWorld } from "../replication/support.ts"

const coordinatorOf = (to: Link, key: string) =>
  Effect.map(to.call(FindCoordinator, { keyType: 0, coordinatorKeys: [key] }, { version: 4 }), ({ coordinators }) => {
    const [found] = coordinators ?? []
    return kafkaError(found?.errorCode ?? -1) === "NONE" ? found?.nodeId : undefined
  })

/** The broker that coordinates a group, as soon as one does, and answers for it. */
export const coordinating = (world: ReplicatedWorld, ask: number, group: string, isNot = -1) =>
  Effect.gen(function* () {
    const any = yield* world.link(ask)
    for (let attempt = 0; attempt < 6000; attempt++) {
      const id = yield* coordinatorOf(any, group)
      if (id !== undefined && id !== isNot) {
        const to = yield* world.link(id)
        const probe = new Member(to, group, "probe")
        probe.memberId = "probe"
        const answer = yield* probe.beat()
        if (answer === "UNKNOWN_MEMBER_ID") return { id, to }
      }
      yield* Effect.sleep(10)
    }
    return yield* Effect.die(new Error(`No broker coordinates ${group}.`))
  })

/** The member speaks to another coordinator. */
export const movedTo = (member: Member, to: Link): Member => {
  const moved = new Member(to, member.groupId, member.name)
  moved.memberId = member.memberId
  moved.generation = member.generation
  moved.protocol = member.protocol
  return moved
}
