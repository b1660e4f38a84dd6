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

const report = (messages: number, startedAt: number): void => {
  const { system, user } = process.cpuUsage()
  console.log(JSON.stringify({ messages, seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (system + user) / 1e6 }))
}

/** Calls over and over, so many at a time, each waiting for its answer. */
export const keepCalling = async ({ mode, seconds }: Task, call: () => Promise<unknown>): Promise<void> => {
  const lanes = mode === "send" ? callsUnderWay.send : callsUnderWay.produce
  const messages = mode === "send" ? 1 : messagesOfCall
  await call()
  const started = performance.now()
  const end = started + seconds * 1000
  let sent = 0
  const lane = async () => {
    while (performance.now() < end) {
      await call()
      sent += messages
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  report(sent, started)
}

/** Counts what comes, from the first on, until all is there or the time is over; then tells, and ends the process: a client that is slow to close is no part of the figure. */
export const counting = ({ messages, seconds }: Task): ((count: number) => void) => {
  let started: number | undefined
  let seen = 0
  return (count) => {
    // The first message marks the start, and is not counted.
    if (started === undefined) started = performance.now()
    else seen += count
    const first = count
    if (seen + first < messages && performance.now() - started < seconds * 1000) return
    report(seen, started)
    process.exit(0)
  }
}
