import type { Sent } from "../../client/producer/accumulator/delivery.ts"
import { CliFailure } from "../shell/failure.ts"

interface StoredRange {
  records: number
  first: number
  last: number
}

/** Counts lines or messages: how many each partition stored, and which was refused first. */
export class Tally {
  private lines = 0
  private storedLines = 0
  private readonly ranges = new Map<number, StoredRange>()
  private first: { readonly line: number; readonly failure: CliFailure } | undefined
  private refusals = 0

  constructor(
    private readonly topic: string,
    private readonly unit: "line" | "message" = "line"
  ) {}

  /** Counts a line. Returns its number, from 1. */
  read(): number {
    return ++this.lines
  }
  get linesRead(): number {
    return this.lines
  }
  stored({ offset, partition }: Sent): void {
    this.storedLines++
    const range = this.ranges.get(partition)
    if (range === undefined) this.ranges.set(partition, { records: 1, first: offset, last: offset })
    else {
      range.records++
      if (offset < range.first) range.first = offset
      if (offset > range.last) range.last = offset
    }
  }
  refused(line: number, failure: CliFailure): void {
    this.refusals++
    if (this.first === undefined || line < this.first.line) this.first = { line, failure }
  }
  get isRefused(): boolean {
    return this.first !== undefined
  }

  private sorted(): ReadonlyArray<readonly [number, StoredRange]> {
    return [...this.ranges].sort(([a], [b]) => a - b)
  }

  /** The counts as JSON. Offsets are -1 where the broker does not confirm them (acks 0). */
  summary() {
    return {
      topic: this.topic,
      lines: this.lines,
      stored: this.storedLines,
      refused: this.refusals,
      partitions: this.sorted().map(([partition, { first, last, records }]) => ({ partition, records, firstOffset: first, lastOffset: last }))
    }
  }

  /** "3 messages to orders-0@0..1 (2), orders-2@17 (1)". */
  sentence(): string {
    const count = `${this.storedLines} ${this.storedLines === 1 ? "message" : "messages"}`
    if (this.ranges.size === 0) return `${count} to ${this.topic}`
    const ranges = this.sorted().map(([partition, { first, last, records }]) => {
      if (last < 0) return `${this.topic}-${partition} (${records}, not confirmed)`
      return `${this.topic}-${partition}@${first === last ? first : `${first}..${last}`} (${records})`
    })
    return `${count} to ${ranges.join(", ")}`
  }

  /** Why the command failed, with the number of the first line that was refused. */
  failure(): CliFailure | undefined {
    if (this.first === undefined) return undefined
    const { failure, line } = this.first
    const more =
      this.refusals > 1 ? `\n${this.refusals - 1} later ${this.refusals === 2 ? `${this.unit} was` : `${this.unit}s were`} in flight, and refused too.` : ""
    return new CliFailure({ exit: failure.exit, message: `${this.unit} ${line}: ${failure.message}${more}`, hint: failure.hint })
  }
}
