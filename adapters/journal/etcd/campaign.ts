import { Deferred, Effect, Either, ExecutionStrategy, Exit, LogLevel, Scope } from "effect"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import type { Candidate, Fenced, LeaseOver } from "../../../src/ports/journal.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { RateLimitedLog } from "../../../src/ports/rate-limited-log.ts"
import type { EtcdFault } from "./client.ts"
import { type FollowedStream, observed, steadyMs } from "./followed-stream.ts"
import { HeldStream, type Win } from "./held-stream.ts"

/** The pause after an attempt that failed. */
const againMs = 500
/** How long the end of a leadership waits for etcd. */
const resignMs = 2000

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** The value of the leader's key. */
interface LeaderValue extends Candidate {
  readonly lease: string
  /** In place of a leader: the stream is copied, moved, or was moved there (transfer.ts). */
  readonly copying?: string
  readonly moving?: string
  readonly movedTo?: string
}

const valueOf = (value: Uint8Array): Partial<LeaderValue> => {
  try {
    return JSON.parse(text.decode(value)) as Partial<LeaderValue>
  } catch {
    return {}
  }
}

/**
 * Tries once to win: puts the leader's key under a new lease where there is none, or where it was put at the revision `gone` and no
 * more since, and raises the epoch. Returns undefined where another candidate leads. The result is read by itself, so that it does not matter whether the answer to the write arrived.
 */
const attempt = (
  followed: FollowedStream,
  candidate: Candidate,
  leaseMs: number,
  gone: number | undefined
): Effect.Effect<Win | undefined, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const { client, keys } = followed.parts
    const before = yield* followed.pull
    if (before.leader !== undefined && before.leader.modRevision !== gone) return undefined
    const grantedAtMs = yield* steadyMs
    const lease = yield* client.grant(Math.ceil(leaseMs / 1000))
    const { address, nodeId } = candidate
    const value: LeaderValue = { nodeId, address, lease }
    const write = client.txn({
      compares: [
        { key: keys.leader, modRevision: before.leader?.modRevision ?? 0 },
        { key: keys.epoch, modRevision: before.epoch.modRevision }
      ],
      then: [
        { put: keys.leader, value: utf8.encode(JSON.stringify(value)), lease },
        { put: keys.epoch, value: utf8.encode(String(before.epoch.value + 1)) }
      ]
    })
    const written = yield* Effect.either(write)
    const after = yield* Effect.either(client.txn({ compares: [], then: [{ range: keys.state }] }))
    const seen = Either.isRight(after) ? observed(keys, after.right.ranges[0] ?? [], after.right.revision) : undefined
    if (seen?.leader === undefined || valueOf(seen.leader.value).lease !== lease) {
      // A write that arrives later fails with its lease.
      yield* Effect.ignore(client.revoke(lease))
      if (Either.isLeft(written)) return yield* written.left
      return Either.isLeft(after) ? yield* after.left : undefined
    }
    return { epoch: seen.epoch.value, lease, leaderRevision: seen.leader.modRevision, head: seen.head.value, headRevision: seen.head.modRevision, grantedAtMs }
  })

/** One line when a candidate begins to stand by. Fails where the journal is elsewhere. */
const standingBy = ({ latest, parts }: FollowedStream, own: Candidate): Effect.Effect<void, LogFault> => {
  const { address, copying, movedTo, moving, nodeId: leading } = latest?.leader === undefined ? {} : valueOf(latest.leader.value)
  if (movedTo !== undefined)
    return new LogFault({
      path: parts.stream,
      reason: "corrupt",
      message: `${parts.stream} was moved from ${parts.client.where} to ${movedTo}. Start this node on the journal there; if that is lost, \`etcdctl del ${parts.keys.leader}\` for each stream lets it lead with what is here.`
    })
  if (copying !== undefined || moving !== undefined)
    return Effect.logWarning(
      `${parts.stream} is being copied in ${parts.client.where}, or a copy was interrupted: run the \`franz journal\` command again that began it. Node ${own.nodeId} waits.`
    )
  // The lease of this process before it was started again has the same address.
  if (leading === own.nodeId && address !== undefined && own.address !== undefined && address !== own.address)
    return Effect.logWarning(
      `${parts.stream}: node ${leading} leads at ${address}, and this node at ${own.address} has the same id. Give each candidate an id of its own (--id), and each cluster a prefix of its own in franz.journal.`
    )
  const { nodeId } = own
  const line = `${parts.stream}: node ${leading ?? "unknown"} leads (${address ?? ""}); node ${nodeId} stands by`
  return parts.stream === metadataTopic ? Effect.logInfo(line) : Effect.logDebug(line)
}

const denied = (stream: string, { message }: EtcdFault): LogFault => new LogFault({ path: stream, reason: "io", message })

/**
 * Ends the leadership in etcd, so that a standby need not wait for the lease. Interruptible is the work alone, so that its time is bounded:
 * where the whole were, it would not run at all in a fiber that is being interrupted.
 */
const resign = (held: HeldStream, followed: FollowedStream, { lease }: Win): Effect.Effect<void> => {
  const { client, keys } = followed.parts
  const work = Effect.zipRight(Effect.ignore(held.guarded([{ remove: { key: keys.leader } }])), Effect.ignore(client.revoke(lease)))
  return Effect.suspend(() => {
    if (!held.isHeld()) return Effect.void
    // Another one may lead as soon as etcd has the first of them: this one answers nothing from now on.
    held.giveUp()
    return Effect.asVoid(Effect.timeoutOption(Effect.interruptible(work), resignMs))
  })
}

/** Wins, or returns undefined where another candidate leads. What it holds is given up when the scope closes. */
const lead = (
  followed: FollowedStream,
  candidate: Candidate,
  leaseMs: number,
  gone: number | undefined
): Effect.Effect<HeldStream | undefined, EtcdFault | LogFault, Scope.Scope> =>
  Effect.gen(function* () {
    const won = yield* Effect.uninterruptible(
      Effect.gen(function* () {
        const win = yield* attempt(followed, candidate, leaseMs, gone)
        if (win === undefined) return undefined
        const held = new HeldStream(followed, win, leaseMs, yield* Deferred.make<never, Fenced | LeaseOver | LogFault>(), yield* Effect.clock)
        yield* Effect.addFinalizer(() => resign(held, followed, win))
        return held
      })
    )
    if (won === undefined) return undefined
    yield* Effect.forkScoped(won.keep)
    // Parts beyond the head are of appends that did not happen.
    yield* Effect.catchTag(won.guarded([{ remove: followed.parts.keys.partsFrom(won.end) }]), "Fenced", () => Effect.void)
    yield* followed.pull
    return won
  })

/** What another candidate, and no command of `franz journal`, has put. */
const isOfLeader = (value: Uint8Array): boolean => {
  const { copying, lease, movedTo, moving } = valueOf(value)
  return lease !== undefined && copying === undefined && movedTo === undefined && moving === undefined
}

/** Waits until there is no leader, or another one, or that process has ended. Returns the revision of the key of a process that has. */
const released = (followed: FollowedStream, { gone, nodeId }: Candidate): Effect.Effect<number | undefined> =>
  Effect.suspend(() => {
    const { latest, parts, readers } = followed
    const leader = latest?.leader
    if (latest === undefined || leader === undefined) return Effect.succeed(undefined)
    const changed = readers.until(() => followed.fault !== undefined || followed.latest?.leader?.modRevision !== leader.modRevision)
    if (gone === undefined || !isOfLeader(leader.value)) return Effect.as(changed, undefined)
    const ended = Effect.zipRight(
      gone(latest.epoch.value),
      Effect.logInfo(
        `${parts.stream}: node ${valueOf(leader.value).nodeId} is gone, since its address refuses connections; node ${nodeId} does not wait for its lease`
      )
    )
    return Effect.raceFirst(Effect.as(changed, undefined), Effect.as(ended, leader.modRevision))
  })

/** Waits until there is no leader, wins, and leads until the scope closes. Fails where etcd refuses this node for good. */
export const campaign = (followed: FollowedStream, candidate: Candidate, leaseMs: number): Effect.Effect<HeldStream, LogFault, Scope.Scope> =>
  Effect.gen(function* () {
    const { stream } = followed.parts
    const refusals = new RateLimitedLog({ intervalMs: 30_000 })
    const scope = yield* Effect.scope
    let gone: number | undefined
    for (;;) {
      if (followed.fault !== undefined) return yield* followed.fault
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const won = yield* Effect.either(Effect.onInterrupt(Scope.extend(lead(followed, candidate, leaseMs, gone), own), () => Scope.close(own, Exit.void)))
      if (Either.isRight(won) && won.right !== undefined) return won.right
      yield* Scope.close(own, Exit.void)
      if (Either.isLeft(won)) {
        const fault = won.left
        if (fault._tag === "LogFault") return yield* fault
        if (fault.kind === "denied") return yield* denied(stream, fault)
        yield* refusals.log(LogLevel.Warning, "etcd", `${stream}: waiting for etcd: ${fault.message}`)
        yield* Effect.sleep(againMs)
      } else {
        // A candidate that lost to another looks again when the leader's key is gone.
        yield* standingBy(followed, candidate)
        yield* Effect.sleep(1)
        gone = yield* released(followed, candidate)
      }
    }
  })
