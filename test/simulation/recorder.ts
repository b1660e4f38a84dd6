import type { Violation } from "./checker/violation.ts"
import { Fingerprint } from "./fingerprint.ts"
import {
  type Commit,
  type History,
  type ImageSeen,
  type JournalReading,
  type LogReading,
  never,
  type OffsetQuestion,
  type Operation,
  type Outcome,
  type Polled,
  type Position,
  type RoleSeen,
  type Send,
  type Stored,
  type TopicCommand,
  type Trim
} from "./history.ts"

type Written<A> = { -readonly [K in keyof A]: A[K] }
/** Differences that are kept. */
const differencesMax = 10
const pending: Outcome<never> = { _tag: "unknown", error: "no answer" }

/** Records a run. Every line goes into the run's fingerprint, and the last ones are kept for the report. */
export class Recorder {
  private position: Position = 0
  private readonly print = new Fingerprint()
  readonly lines: Array<string> = []
  readonly sends: Array<Operation<Send, Stored>> = []
  readonly polls: Array<Polled> = []
  readonly trims: Array<Operation<Trim, number>> = []
  readonly logs: Array<LogReading> = []
  readonly topics: Array<Operation<TopicCommand, string>> = []
  readonly journals: Array<JournalReading> = []
  readonly images: Array<ImageSeen> = []
  private readonly rolesByText = new Map<string, RoleSeen>()
  readonly differences: Array<Violation> = []
  readonly commits: Array<Operation<Commit, void>> = []
  readonly offsetReads: Array<Operation<OffsetQuestion, number>> = []
  readonly partitions = new Map<string, number>()
  readonly compacted = new Set<string>()
  readonly replicated = new Set<string>()
  /** Rounds of compaction that took records away, and how many they took. */
  readonly compactions = { rounds: 0, records: 0 }
  readonly unfinished: Array<string> = []

  constructor(
    private readonly now: () => number,
    /** Lines that are kept. */
    private readonly linesMax: number
  ) {}

  /** The next place in the order of everything. */
  next(): Position {
    return ++this.position
  }
  say(line: string): void {
    const text = `${this.now()} ${line}`
    this.print.add(text)
    if (this.linesMax === 0) return
    this.lines.push(text)
    if (this.lines.length > this.linesMax * 2) this.lines.splice(0, this.linesMax)
  }
  get fingerprint(): string {
    return this.print.text
  }
  get lineCount(): number {
    return this.print.count
  }

  /** Notes an invocation. Returns a function for its completion, to be called once. */
  invoke<Input, A>(list: Array<Operation<Input, A>>, process: string, input: Input): (outcome: Outcome<A>) => void {
    const operation: Written<Operation<Input, A>> = { process, input, invoked: this.next(), completed: never, outcome: pending }
    list.push(operation)
    return (outcome) => {
      operation.outcome = outcome
      if (outcome._tag !== "unknown") operation.completed = this.next()
    }
  }

  role(seen: RoleSeen): void {
    const text = `${seen.node} ${seen.topicId}-${seen.partition}e${seen.leaderEpoch} ${seen.isr}`
    if (!this.rolesByText.has(text)) this.rolesByText.set(text, seen)
  }
  /** Violations that are seen at this moment. The same one lasts for many moments: the first ones tell most. */
  differs(found: ReadonlyArray<Violation>): void {
    for (const one of found) {
      if (this.differences.length >= differencesMax) return
      this.differences.push({ ...one, message: `at ${this.now()} ms: ${one.message}` })
      this.say(`${one.invariant}: ${one.message}`)
    }
  }

  get history(): History {
    const { commits, compacted, differences, images, journals, logs, offsetReads, partitions, polls, replicated, sends, topics, trims, unfinished } = this
    const roles = [...this.rolesByText.values()]
    return { commits, compacted, differences, images, journals, logs, offsetReads, partitions, polls, replicated, roles, sends, topics, trims, unfinished }
  }
}
