import { readFileSync } from "node:fs"
import { ChunkCounter } from "./chunk-counter.ts"

/** What a client process is asked to do: `bun client/NAME.ts produce|send|consume ADDRESS TOPIC SECONDS [MESSAGES]`. It prints one line of JSON. */
interface Task {
  /** produce: a hundred messages a call. send: one. consume: all records of the topic. */
  readonly mode: "produce" | "send" | "consume"
  readonly address: string
  readonly topic: string
  readonly seconds: number
  /** Of `consume`: no more than these are there. */
  readonly messages: number
}

export const messagesOfCall = 100
/** Calls that are under way at the same time: 20 of a hundred messages, or a thousand of one. */
const callsUnderWay = { produce: 20, send: 1000 } as const
/** 100 bytes. */
export const value = "x".repeat(100)

export const task = (): Task => {
  const [mode, address = "", topic = "", seconds = "1", messages = "0"] = process.argv.slice(2)
  if (mode !== "produce" && mode !== "send" && mode !== "consume") throw new Error(`mode ${mode}`)
  return { mode, address, topic, seconds: Number(seconds), messages: Number(messages) }
}

const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}
/** The largest resident memory of the process so far. Not `maxRSS`, which counts the memory of the process that started this one, too. */
const peakMiB = (): number => Number(readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) / 1024
/** Prints the figures of the messages that were counted in `seconds`, for which the process took `cpu` seconds of processor time. */
const report = (messages: number, seconds: number, cpu: number): void => console.log(JSON.stringify({ messages, seconds, cpuSeconds: cpu, peakMiB: peakMiB() }))

/** Calls over and over, so many at a time, each waiting for its answer: each at least once, however short the time. */
export const keepCalling = async ({ mode, seconds }: Task, call: () => Promise<unknown>): Promise<void> => {
  const lanes = mode === "send" ? callsUnderWay.send : callsUnderWay.produce
  const messages = mode === "send" ? 1 : messagesOfCall
  await call()
  const started = performance.now()
  const cpuBefore = cpuSeconds()
  const end = started + seconds * 1000
  let sent = 0
  const lane = async () => {
    do {
      await call()
      sent += messages
    } while (performance.now() < end)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  report(sent, (performance.now() - started) / 1000, cpuSeconds() - cpuBefore)
}

/** How long a client may take to its second chunk of messages, ms. */
const secondChunkMs = 60_000

/**
 * Counts what comes, from the first chunk on, until all messages have come or the time is over; then prints the figures and ends the process: a client that is slow to close
 * is no part of the figure. A rate needs two chunks, so the time is not over before the second one. A client that receives nothing more, or nothing at all, ends too.
 */
export const counting = (asked: Task): ((count: number) => void) => {
  const chunks = new ChunkCounter(asked.messages)
  let cpuBefore = 0
  let isOver = false
  const finish = () => {
    report(chunks.counted, chunks.seconds(performance.now()), cpuSeconds() - cpuBefore)
    process.exit(0)
  }
  const silent = setTimeout(() => {
    console.error(`${chunks.isEmpty ? "no message" : "no second chunk of messages"} of ${asked.topic} came within ${secondChunkMs} ms`)
    process.exit(1)
  }, secondChunkMs)
  const timeIsOver = () => {
    isOver = true
    if (chunks.counted > 0) finish()
  }
  return (count) => {
    if (chunks.isEmpty) {
      cpuBefore = cpuSeconds()
      setTimeout(timeIsOver, asked.seconds * 1000)
    } else clearTimeout(silent)
    const isComplete = chunks.add(count, performance.now())
    if (isComplete || (isOver && chunks.counted > 0)) finish()
  }
}
