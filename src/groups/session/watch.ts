import { Effect, Either, Queue } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { expireOffsets } from "../../../domain/group/offset/commit.ts"
import { isVoid } from "../../../domain/group/state.ts"
import type { CoordinatorContext } from "../context.ts"
import type { GroupStream } from "../group-stream.ts"
import type { Deadlines } from "./deadlines.ts"

/** The shortest pause between two looks at sessions, ms: a silent member is removed at most this much late. */
const lookEveryMs = 500
/** The longest pause where a group has members, ms: short beside a session, so that a pause of this process is noticed. */
const lookMsMax = 2000
/** The longest pause without members, ms. */
const idleLookMs = 60_000
/** How often old offsets are looked for, ms: Kafka's `offsets.retention.check.interval.ms`. */
const expireOffsetsEveryMs = 600_000
/** How often groups without members and offsets are looked for where the groups hold much of what they may, ms. */
const expireVoidEveryMs = 5000

const causes: { readonly [Tag in Command["_tag"]]?: string } = {
  CompleteJoin: "rebalance delay",
  ExpireSync: "sync timeout",
  ExpireMember: "session timeout",
  ExpireOffsets: "offset retention",
  RemoveTopic: "topic removed"
}

/** Gives commands of the coordinator's own to a stream. */
export const give = ({ commandIds }: CoordinatorContext, { writer }: GroupStream, commands: ReadonlyArray<Command>) =>
  commands.length === 0
    ? Effect.void
    : writer.submitAll(commands.map((command) => ({ command, commandId: commandIds.own(), actor: "leader", cause: causes[command._tag] ?? command._tag })))

/** Wakes the fiber that ends rebalances and waits, where one ends sooner than the fiber knew. */
export class Alarm {
  /** When the fiber wakes by itself. */
  wakeAt = Number.POSITIVE_INFINITY
  /** When it looks at sessions at the soonest. A group that changes may have another session. */
  sessionsFrom = 0

  private constructor(private readonly woken: Queue.Queue<void>) {}
  static readonly make: Effect.Effect<Alarm> = Effect.map(Queue.sliding<void>(1), (woken) => new Alarm(woken))

  readonly set = (at: number): void => {
    if (Math.min(at, this.sessionsFrom) < this.wakeAt) Queue.unsafeOffer(this.woken, undefined)
  }
  /** Sleeps for so many ms, or until the alarm is set. */
  sleep(ms: number): Effect.Effect<void> {
    return Effect.asVoid(Effect.timeoutOption(Queue.take(this.woken), ms))
  }
}

/**
 * Ends rebalances, waits and sessions whose time is over, for as long as it runs. It sleeps until the next of them can end, two seconds at most where there are members. A rebalance that
 * begins meanwhile and ends sooner (`group.initial.rebalance.delay.ms` is 0) wakes it, and so does a group that changes.
 *
 * When this process itself was stopped, the members' requests wait unread in its sockets: a look that comes much too late gives every member a new session.
 */
export const watchGroups = (coordinator: CoordinatorContext, alarm: Alarm): Effect.Effect<never> => {
  const { elapsed, now, streams } = coordinator
  let lookedAt = now() - lookEveryMs
  const earliest = (of: (deadlines: Deadlines) => number): number => {
    let next = Number.POSITIVE_INFINITY
    for (const { deadlines } of streams) next = Math.min(next, of(deadlines))
    return next
  }
  const sessionsAt = (): number => {
    const next = earliest(({ nextSession }) => nextSession)
    const pauseMsMax = next === Number.POSITIVE_INFINITY ? idleLookMs : lookMsMax
    return Math.max(lookedAt + lookEveryMs, Math.min(lookedAt + pauseMsMax, next))
  }
  return Effect.forever(
    Effect.gen(function* () {
      alarm.sessionsFrom = lookedAt + lookEveryMs
      alarm.wakeAt = Math.min(
        sessionsAt(),
        earliest(({ next }) => next)
      )
      const sleepMs = Math.max(0, alarm.wakeAt - now())
      const asleepAt = elapsed()
      if (sleepMs > 0) yield* alarm.sleep(sleepMs)
      const lateMs = elapsed() - asleepAt - sleepMs
      const at = now()
      if (lateMs > lookEveryMs) for (const { lastHeartbeats } of streams) lastHeartbeats.resume(at)
      const looksAtSessions = at >= sessionsAt()
      if (looksAtSessions) lookedAt = at
      for (const stream of [...streams]) {
        const { deadlines } = stream
        yield* give(coordinator, stream, looksAtSessions ? [...deadlines.duePhases(at), ...deadlines.dueSessions(at)] : deadlines.duePhases(at))
      }
    })
  )
}

/** Whether the groups hold so much of what they may that groups without members and offsets are removed before their time. */
const isCrowded = ({ limits, streams }: CoordinatorContext): boolean => {
  const { bytes, groups } = streams.load()
  return bytes > limits.groupsBytesMax / 2 || groups > limits.groupsMax / 2
}

/**
 * Expires offsets past their retention, and groups that hold nothing: every ten minutes, and such groups within seconds where there are many. A command goes to the journal only where
 * offsets or a group expire.
 */
export const watchOffsets = (coordinator: CoordinatorContext): Effect.Effect<never> => {
  const { limits, now, streams } = coordinator
  let lookedAt = now()
  const look = Effect.gen(function* () {
    const at = now()
    const isDue = at - lookedAt >= expireOffsetsEveryMs
    if (isDue) lookedAt = at
    if (!isDue && !isCrowded(coordinator)) return
    for (const stream of [...streams]) {
      const old: Array<Command> = []
      for (const [groupId, group] of stream.writer.state()) {
        if (!isDue && !isVoid(group)) continue
        const command = Command.ExpireOffsets({ groupId, at })
        if (Either.getOrElse(expireOffsets(limits, group, command), () => []).length > 0) old.push(command)
      }
      yield* give(coordinator, stream, old)
    }
  })
  return Effect.forever(Effect.delay(look, expireVoidEveryMs))
}
