import { expect, test } from "bun:test"
import { Effect, Exit, Fiber } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { Rounds } from "../../../../src/broker/replication/rounds.ts"

/** A leader that answers a request after 10 ms, or when the next one comes; and a follower that has `syncs` after each response, as long as one is left. */
class Script {
  readonly clock = new VirtualClock()
  readonly log: Array<string> = []
  /** How long the sync after each response takes, ms; undefined: there is none. */
  syncs: Array<number | undefined> = []
  overlaps = true
  isDue = true
  isLost = false
  private endWait: (() => void) | undefined
  private readonly from = this.clock.unsafeCurrentTimeNanos()
  /** ms since the start. */
  private at = () => Math.round(Number(this.clock.unsafeCurrentTimeNanos() - this.from) / 1e6)

  readonly rounds = new Rounds<number, number, string>({
    clock: this.clock,
    isCurrent: Effect.suspend(() => (this.isLost ? Effect.fail("registered again") : Effect.void)),
    next: ({ isSecond, number }) => {
      if (isSecond && !this.isDue) return undefined
      this.isDue = false
      this.log.push(`${this.at()} sends ${number}`)
      return number
    },
    call: (number) =>
      Effect.async<number>((resume) => {
        this.endWait?.()
        this.endWait = () => resume(Effect.succeed(number))
      }).pipe(
        Effect.timeoutTo({ duration: 100, onSuccess: (answer) => answer, onTimeout: () => number }),
        Effect.tap(() => Effect.sync(() => this.log.push(`${this.at()} has ${number}`)))
      ),
    take: (number, _, isLatest) =>
      Effect.sync(() => {
        this.log.push(`${this.at()} takes ${number}${isLatest() ? "" : " of an earlier request"}`)
        const ms = this.syncs.shift()
        if (ms === undefined) return []
        const synced = Effect.sync(() => {
          this.isDue = true
          this.log.push(`${this.at()} synced`)
        })
        return [Effect.zipRight(Effect.sleep(ms), synced)]
      }),
    mayOverlap: () => this.overlaps
  })

  /** The lines of a run of so many ms. */
  run(ms: number): Promise<ReadonlyArray<string>> {
    return this.clock.run(
      Effect.gen(this, function* () {
        const fiber = yield* Effect.fork(this.rounds.run)
        yield* Effect.sleep(ms)
        yield* Fiber.interrupt(fiber)
        return this.log
      })
    )
  }
}

test("while logs are synced the next request waits at the leader, and the one after the sync ends its wait", async () => {
  const script = new Script()
  script.syncs = [30, 30]
  expect(await script.run(215)).toEqual([
    "0 sends 1",
    "100 has 1",
    "100 takes 1",
    // Syncs were quick until now.
    "130 synced",
    "130 sends 2"
  ])
  const slow = new Script()
  slow.syncs = [30, 30, 30]
  expect((await slow.run(450)).slice(4)).toEqual([
    "130 sends 2",
    "230 has 2",
    "230 takes 2",
    "230 sends 3",
    "260 synced",
    "260 sends 4",
    "260 has 3",
    "260 takes 3 of an earlier request",
    "290 synced",
    "290 sends 5",
    "290 has 4",
    "290 takes 4 of an earlier request",
    "390 has 5",
    "390 takes 5",
    "390 sends 6"
  ])
})

test("quick syncs are awaited, and so are all where the leader does not end a wait: one request for each round", async () => {
  const quick = new Script()
  quick.syncs = [0.5, 0.5, 0.5]
  expect((await quick.run(310)).filter((line) => line.includes("sends"))).toEqual(["0 sends 1", "101 sends 2", "201 sends 3", "302 sends 4"])
  const old = new Script()
  old.syncs = [30, 30, 30]
  old.overlaps = false
  expect((await old.run(400)).filter((line) => line.includes("sends"))).toEqual(["0 sends 1", "130 sends 2", "260 sends 3", "390 sends 4"])
})

test("a sync that has begun ends before the rounds do, and a bug in it ends them", async () => {
  const script = new Script()
  script.syncs = [undefined, 30, 500]
  const log = await script.run(380)
  expect(log.at(-1)).toBe("830 synced")
  const wrong = new Script()
  const exit = await wrong.clock.run(
    Effect.exit(
      new Rounds<number, number, string>({
        clock: wrong.clock,
        isCurrent: Effect.void,
        next: ({ number }) => number,
        call: Effect.succeed,
        take: () => Effect.succeed([Effect.die("a bug")]),
        mayOverlap: () => true
      }).run
    )
  )
  expect(Exit.isFailure(exit) && String(exit.cause)).toContain("a bug")
  const lost = new Script()
  lost.isLost = true
  expect(String(await lost.clock.run(Effect.exit(lost.rounds.run)))).toContain("registered again")
})
