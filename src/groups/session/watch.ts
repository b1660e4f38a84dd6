import { Effect, Either, Queue } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { expireOffsets } from "../../../domain/group/offset/commit.ts"
import { isVoid } from "../../../domain/group/state.ts"
import type { GroupRoom, GroupStream } from "../context.ts"
import { Deadlines } from "./deadlines.ts"

/** How often sessions are looked at, ms: a silent member is removed at most this much late. */
const lookEveryMs = 500
/** How often old offsets are looked for, ms: Kafka's `offsets.retention.check.interval.ms`. */
const expireOffsetsEveryMs = 600_000

/** How often groups with nothing in them are looked for where groups take much of their room, ms. */
const expireVoidEveryMs = 5000

const causes = { CompleteJoin: "rebalance delay", ExpireSync: "sync timeout", ExpireMember: "session timeout", ExpireOffsets: "offset retention" } as const

const give = (room: GroupRoom, { writer }: GroupStream, commands: ReadonlyArray<Command>) =>
  commands.length === 0
    ? Effect.void
    : writer.submitAll(
        commands.map((command) => {
          const cause = command._tag in causes ? causes[command._tag as keyof typeof causes] : command._tag
          return { command, commandId: room.commandIds.own(), actor: "leader", cause }
        })
      )

/**
 * Ends rounds, waits and sessions whose time is over, for as long as it runs. It sleeps until the next round ends, half a second at most; a round that begins
 * meanwhile and ends sooner (`group.initial.rebalance.delay.ms` is 0) wakes it.
 *
 * When this process itself was stopped, what the members sent waits in its sockets unread: a look that comes much too late gives everybody a new session.
 */
export const watchGroups = (room: GroupRoom): Effect.Effect<never> =>
  Effect.gen(function* () {
    const woken = yield* Queue.sliding<void>(1)
    let wakeAt = Number.POSITIVE_INFINITY
    const watched = room.streams.map((stream) => {
      const deadlines = new Deadlines(room.limits, stream.heard, stream.writer.state)
      stream.writer.onChange((change) => {
        deadlines.follow(change)
        if (deadlines.next < wakeAt) Queue.unsafeOffer(woken, undefined)
      })
      return { stream, deadlines }
    })
    const nextOf = (): number => watched.reduce((next, { deadlines }) => Math.min(next, deadlines.next), Number.POSITIVE_INFINITY)
    let sessionsAt = room.now()
    return yield* Effect.forever(
      Effect.gen(function* () {
        wakeAt = Math.min(sessionsAt, nextOf())
        const asleepAt = room.now()
        if (wakeAt > asleepAt) yield* Effect.timeoutOption(Queue.take(woken), wakeAt - asleepAt)
        const now = room.now()
        if (now - Math.max(wakeAt, asleepAt) > lookEveryMs) for (const { stream } of watched) stream.heard.resume(now)
        const looksAtSessions = now >= sessionsAt
        if (looksAtSessions) sessionsAt = now + lookEveryMs
        for (const { stream, deadlines } of watched) {
          yield* give(room, stream, looksAtSessions ? [...deadlines.duePhases(now), ...deadlines.dueSessions(now)] : deadlines.duePhases(now))
        }
      })
    )
  })

/** Whether groups take so much of their room that those with nothing in them must go before their time. */
const isCrowded = ({ limits, load }: GroupRoom): boolean => {
  const { bytes, groups } = load()
  return bytes > limits.groupsBytesMax / 2 || groups > limits.groupsMax / 2
}

/**
 * Forgets offsets past their retention, and groups that have nothing left: every ten minutes, and those groups within seconds where there are many. Only where there is something
 * to forget does a command go to the journal.
 */
export const watchOffsets = (room: GroupRoom): Effect.Effect<never> => {
  let lookedAt = room.now()
  return Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(expireVoidEveryMs)
      const at = room.now()
      const isDue = at - lookedAt >= expireOffsetsEveryMs
      if (isDue) lookedAt = at
      if (!isDue && !isCrowded(room)) return
      for (const stream of room.streams) {
        const old: Array<Command> = []
        for (const [groupId, group] of stream.writer.state()) {
          if (!isDue && !isVoid(group)) continue
          const command = Command.ExpireOffsets({ groupId, at })
          if (Either.getOrElse(expireOffsets(room.limits, group, command), () => []).length > 0) old.push(command)
        }
        yield* give(room, stream, old)
      }
    })
  )
}
