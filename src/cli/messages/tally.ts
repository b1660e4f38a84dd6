import type { Sent } from "../../client/producer/accumulator/delivery.ts"
import { CliFailure } from "../shell/failure.ts"

interface Stretch {
  records: number
  first: number
  last: number
}

/** What became of the lines that were read: how many are stored where, and which was refused first. */
export class Tally {
  private lines = 0
  private storedLines = 0
  private readonly places = new Map<number, Stretch>()
  private first: { readonly line: number; readonly failure: CliFailure } | undefined
  private refusals = 0

  constructor(private readonly topic: string) {}

  /** One more line was read; its number, from 1. */
  read(): number {
    return ++this.lines
  }
  get linesRead(): number {
    return this.lines
  }
  stored({ offset, partition }: Sent): void {
    this.storedLines++
    const place = this.places.get(partition)
    if (place === undefined) this.places.set(partition, { records: 1, first: offset, last: offset })
    else {
      place.records++
      if (offset < place.first) place.first = offset
      if (offset > place.last) place.last = offset
    }
  }
  refused(line: number, failure: CliFailure): void {
    this.refusals++
    if (this.first === undefined || line < this.first.line) this.first = { line, failure }
  }
  get isRefused(): boolean {
    return this.first !== undefined
  }

  private sorted(): ReadonlyArray<readonly [number, Stretch]> {
    return [...this.places].sort(([a], [b]) => a - b)
  }

  /** For scripts. Offsets are -1 where nobody confirmed them (acks 0). */
  summary(): unknown {
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
    if (this.places.size === 0) return `${count} to ${this.topic}`
    const places = this.sorted().map(([partition, { first, last, records }]) => {
      if (last < 0) return `${this.topic}-${partition} (${records}, not confirmed)`
      return `${this.topic}-${partition}@${first === last ? first : `${first}..${last}`} (${records})`
    })
    return `${count} to ${places.join(", ")}`
  }

  /** Why the command failed, naming the first line that was refused. */
  failure(): CliFailure | undefined {
    if (this.first === undefined) return undefined
    const { failure, line } = this.first
    const more = this.refusals > 1 ? `\n${this.refusals - 1} later ${this.refusals === 2 ? "line was" : "lines were"} on the way and refused too.` : ""
    return new CliFailure({ exit: failure.exit, message: `line ${line}: ${failure.message}${more}`, hint: failure.hint })
  }
}
