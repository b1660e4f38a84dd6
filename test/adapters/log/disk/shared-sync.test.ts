import { expect, test } from "bun:test"
import { type SharedLog, SharedSync } from "../../../../adapters/log/disk/shared-sync.ts"
import { SyncTimes } from "../../../../adapters/log/disk/sync-times.ts"
import { covers, type VolumeRound } from "../../../../adapters/log/disk/volume-sync.ts"
import type { LogFault } from "../../../../src/ports/log-store.ts"

/** A volume whose rounds end when the test says so. */
const volume = (firstTicket = 0) => {
  const state = {
    ticket: firstTicket,
    pauses: [] as Array<number>,
    hurries: 0,
    starts: 0,
    closes: 0,
    isReleased: false,
    heard: (_: VolumeRound): void => undefined
  }
  const start = (heard: (round: VolumeRound) => void) => {
    state.starts++
    state.heard = heard
    return {
      ask: () => (state.ticket = (state.ticket + 1) | 0),
      pause: (ms: number) => void state.pauses.push(ms),
      hurry: () => void state.hurries++,
      close: () => void state.closes++
    }
  }
  return { state, volume: { holds: () => true, start, close: () => void (state.isReleased = true) } }
}

/** A log that writes down what it is told. */
class ToldLog implements SharedLog<number> {
  sharedWaits = 0
  fault: LogFault | undefined
  readonly told: Array<string> = []
  constructor(private readonly bytesEach = 0) {}
  readonly bytesTo = () => this.bytesEach
  readonly reached = (point: number) => void this.told.push(`reached ${point}`)
  readonly noteReached = () => void this.told.push("noted")
  readonly drained = () => void this.told.push("drained")
  readonly syncAlone = () => void this.told.push("alone")
}

const open = (firstTicket = 0) => {
  const { state, volume: at } = volume(firstTicket)
  const world = { now: 1000, lines: [] as Array<string>, later: [] as Array<() => void> }
  const shared = new SharedSync<number>(at, {
    bounds: { crowdMin: 6, noteMs: 100 },
    syncTimes: new SyncTimes(),
    now: () => world.now,
    report: (line) => void world.lines.push(line),
    after: (_, run) => void world.later.push(run)
  })
  const ready = () => {
    for (let i = 0; i < 4; i++) shared.begun()
    for (let i = 0; i < 4; i++) shared.ended(1)
    state.heard({ covered: state.ticket, error: undefined, ms: 0 })
    expect(shared.isOpen).toBe(true)
  }
  return { shared, state, world, ready }
}

test("a thread starts when many logs are synced side by side, and takes requests when it is ready", () => {
  const { shared, state, ready } = open()
  for (let i = 0; i < 100; i++) {
    shared.begun()
    shared.ended(1)
  }
  expect(state.starts).toBe(0)
  ready()
  expect(state.starts).toBe(1)
})

test("a round answers the requests that it covers, each log once for its last point; the others wait for the next round", () => {
  const { shared, state, world, ready } = open()
  ready()
  const [one, other] = [new ToldLog(), new ToldLog()]
  const answers: Array<string> = []
  shared.join(one, 5, () => answers.push("one 5"))
  shared.join(other, 7, () => answers.push("other 7"))
  shared.join(one, 6, () => answers.push("one 6"))
  const covered = state.ticket
  const cancel = shared.join(one, 9, () => answers.push("one 9"))
  state.heard({ covered, error: undefined, ms: 1 })
  expect(answers).toEqual(["one 5", "other 7", "one 6"])
  expect([one.told, other.told]).toEqual([["reached 6"], ["reached 7", "drained"]])
  cancel()
  state.heard({ covered: state.ticket, error: undefined, ms: 1 })
  expect(answers).toHaveLength(3)
  expect(one.told).toEqual(["reached 6", "reached 9", "drained"])
  // Both rounds have one note.
  expect(world.later).toHaveLength(1)
  world.later[0]?.()
  expect([one.told.at(-1), other.told.at(-1)]).toEqual(["noted", "noted"])
})

test("tickets wrap: a request after the largest int32 is not covered by a round before it", () => {
  expect([covers(0x7fffffff, 0x7fffffff), covers(0x7fffffff, -0x80000000), covers(-0x80000000, 0x7fffffff)]).toEqual([true, false, true])
  const { shared, state, ready } = open(0x7ffffffe)
  ready()
  const log = new ToldLog()
  const answers: Array<number> = []
  for (let i = 0; i < 3; i++) shared.join(log, i, () => answers.push(i))
  expect(state.ticket).toBe(-0x7fffffff)
  state.heard({ covered: 0x7fffffff, error: undefined, ms: 1 })
  expect(answers).toEqual([0])
  state.heard({ covered: state.ticket, error: undefined, ms: 1 })
  expect(answers).toEqual([0, 1, 2])
})

test("an error of the volume answers no request: each goes to a sync of its log, and the volume is not used again", () => {
  const { shared, state, world, ready } = open()
  ready()
  const [one, other] = [new ToldLog(), new ToldLog()]
  const answers: Array<string> = []
  shared.join(one, 5, () => answers.push("one"))
  const covered = state.ticket
  shared.join(other, 7, () => answers.push("other"))
  state.heard({ covered, error: new Error("EIO: syncfs"), ms: 1 })
  expect([answers, one.told, other.told]).toEqual([[], ["alone", "drained"], ["alone", "drained"]])
  expect([one.sharedWaits, other.sharedWaits, shared.isOpen]).toEqual([0, 0, false])
  expect(world.lines[0]).toContain("EIO: syncfs")
  for (let i = 0; i < 100; i++) shared.begun()
  expect([state.starts, state.closes]).toEqual([1, 1])
})

test("a thread that cannot be started is reported once, and the logs sync by themselves", () => {
  const lines: Array<string> = []
  const shared = new SharedSync<number>(
    {
      holds: () => true,
      close: () => undefined,
      start: () => {
        throw new Error("no thread is left")
      }
    },
    { bounds: { crowdMin: 0, noteMs: 0 }, syncTimes: new SyncTimes(), now: () => 1000, report: (line) => void lines.push(line), after: () => undefined }
  )
  for (let i = 0; i < 3; i++) shared.begun()
  expect([shared.isOpen, shared.isPossible, lines.length]).toEqual([false, false, 1])
  expect(lines[0]).toContain("no thread is left")
})

test("a request of a log that went offline meanwhile gets its fault", () => {
  const { shared, state, ready } = open()
  ready()
  const log = new ToldLog()
  const answers: Array<LogFault | undefined> = []
  shared.join(log, 5, (fault) => answers.push(fault))
  log.fault = { message: "offline" } as LogFault
  state.heard({ covered: state.ticket, error: undefined, ms: 1 })
  expect(answers).toEqual([log.fault])
})

test("a round with much to write does not wait for more requests", () => {
  const { shared, state, ready } = open()
  ready()
  const round = (logs: ReadonlyArray<ToldLog>) => {
    for (const log of logs) for (let i = 0; i < 3; i++) shared.join(log, i, () => undefined)
    state.heard({ covered: state.ticket, error: undefined, ms: 0.4 })
  }
  const [little, much] = [1000, 200_000].map((bytes) => [new ToldLog(bytes), new ToldLog(bytes)])
  for (let i = 0; i < 50; i++) round(little ?? [])
  expect(state.pauses.at(-1)).toBe(0.4)
  for (let i = 0; i < 50; i++) round(much ?? [])
  expect(state.pauses.at(-1)).toBe(0)
  for (let i = 0; i < 50; i++) round(little ?? [])
  expect(state.pauses.at(-1)).toBe(0.4)
})

test("rounds with one log end the sharing; a round waits for more requests once rounds have several", () => {
  const { shared, state, ready } = open()
  ready()
  const logs = [new ToldLog(), new ToldLog()]
  const round = (some: ReadonlyArray<ToldLog>, each: number) => {
    for (const log of some) for (let i = 0; i < each; i++) shared.join(log, i, () => undefined)
    state.heard({ covered: state.ticket, error: undefined, ms: 0.4 })
  }
  for (let i = 0; i < 50; i++) round(logs, 3)
  expect([state.pauses[0], state.pauses.at(-1)]).toEqual([0, 0.4])
  for (let i = 0; i < 5; i++) round(logs.slice(0, 1), 1)
  expect(shared.isOpen).toBe(true)
  for (let i = 0; shared.isOpen && i < 100; i++) round(logs.slice(0, 1), 1)
  expect(shared.isOpen).toBe(false)
})

test("as many requests as came together lately end the pause", () => {
  const { shared, state, ready } = open()
  ready()
  const log = new ToldLog()
  for (let i = 0; i < 4; i++) shared.join(log, i, () => undefined)
  state.heard({ covered: state.ticket, error: undefined, ms: 1 })
  state.hurries = 0
  for (let i = 0; i < 3; i++) shared.join(log, i, () => undefined)
  expect(state.hurries).toBe(0)
  shared.join(log, 4, () => undefined)
  expect(state.hurries).toBe(1)
})

test("slow rounds in a row end the sharing for a while, one slow round does not", () => {
  const { shared, state, world, ready } = open()
  ready()
  const logs = [new ToldLog(), new ToldLog()]
  const round = (ms: number) => {
    for (const log of logs) shared.join(log, 1, () => undefined)
    state.heard({ covered: state.ticket, error: undefined, ms })
  }
  round(5000)
  round(1)
  expect(shared.isOpen).toBe(true)
  for (let i = 0; i < 10 && shared.isOpen; i++) round(5000)
  expect(shared.isOpen).toBe(false)
  const crowd = () => {
    for (let i = 0; i < 5; i++) shared.begun()
    for (let i = 0; i < 5; i++) shared.ended(1)
  }
  crowd()
  expect(shared.isOpen).toBe(false)
  world.now += 11_000
  crowd()
  expect([shared.isOpen, state.starts]).toEqual([true, 1])
})

test("an idle thread ends, and a close lets go of the volume and leaves no request without an answer", () => {
  const { shared, state, world, ready } = open()
  ready()
  world.now += 61_000
  shared.endIfIdle()
  expect([state.closes, shared.isOpen]).toEqual([1, false])
  ready()
  const log = new ToldLog()
  shared.join(log, 1, () => undefined)
  world.now += 61_000
  shared.endIfIdle()
  expect(state.closes).toBe(1)
  shared.close()
  expect([log.told, state.closes, state.isReleased]).toEqual([["alone", "drained"], 2, true])
})
