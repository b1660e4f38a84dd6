import type { Outcome, Stored } from "../../test/simulation/history.ts"
import { Recorder } from "../../test/simulation/recorder.ts"
import type { ClientLine } from "./client-line.ts"
import type { ClientKind } from "./clients.ts"
import { Acknowledgements } from "./pauses.ts"

/** How many messages of clients are kept for the report. */
const notesMax = 50

/** What the clients saw, as a history for the checkers of the simulation. */
export class Observed {
  readonly recorder = new Recorder(() => Date.now(), 0)
  readonly acknowledgements = new Acknowledgements()
  acknowledged = 0
  sent = 0
  unknown = 0
  failed = 0
  /** How many notes the clients had: errors that they retried. */
  noted = 0
  /** The last notes of the clients. */
  readonly notes: Array<string> = []
  /** The next offset of each reader and partition. */
  private readonly next = new Map<string, number>()
  /** The value that the first reader was given, by partition and offset. */
  private readonly first = new Map<number, Array<string>>()
  private readonly ends = new Map<number, number>()
  /** Acknowledged without an offset, with the partition. */
  private readonly withoutOffset = new Map<string, number>()
  private readonly open = new Map<string, (outcome: Outcome<Stored>) => void>()

  constructor(
    private readonly topic: string,
    private readonly complain: (complaint: string) => void
  ) {}

  readonly take = (kind: ClientKind, line: ClientLine): void => {
    switch (line.kind) {
      case "sent": {
        this.sent += 1
        const input = { topic: this.topic, partition: line.partition, value: line.value, acks: "all", idempotent: true } as const
        this.open.set(line.value, this.recorder.invoke(this.recorder.sends, kind, input))
        return
      }
      case "acknowledged":
        this.acknowledged += 1
        this.ends.set(line.partition, Math.max(this.acknowledgedTo(line.partition), line.offset + 1))
        this.acknowledgements.add(kind, line.partition, line.atMs)
        if (line.offset < 0) this.withoutOffset.set(line.value, line.partition)
        else this.complete(line.value, { _tag: "ok", value: { topic: this.topic, partition: line.partition, offset: line.offset } })
        return
      case "unknown":
        this.unknown += 1
        this.note(kind, `${line.value}: ${line.text}`)
        return this.complete(line.value, { _tag: "unknown", error: line.text })
      case "failed":
        this.failed += 1
        this.note(kind, `${line.value}: ${line.text}`)
        return this.complete(line.value, { _tag: "fail", error: line.text })
      case "read":
        return this.read(kind, line.partition, line.offset, line.value)
      case "complaint":
        return this.complain(`${kind}: ${line.text}`)
      case "note":
        return this.note(kind, line.text)
      case "flushed":
    }
  }
  /** The next offset that a client's reader will be given. */
  readTo(kind: ClientKind, partition: number): number {
    return this.next.get(`${kind} ${partition}`) ?? 0
  }

  /** The offset after the last acknowledged message. */
  acknowledgedTo(partition: number): number {
    return this.ends.get(partition) ?? 0
  }

  /** Looks for the messages that were acknowledged without an offset (L1), where a partition's records are known. */
  locate(partition: number, values: ReadonlyMap<string, number>): void {
    for (const [value, of] of this.withoutOffset) {
      if (of !== partition) continue
      const offset = values.get(value)
      if (offset === undefined) this.complain(`L1: "${value}" was acknowledged in ${this.topic}-${partition}, and is nowhere there`)
      else this.complete(value, { _tag: "ok", value: { topic: this.topic, partition, offset } })
    }
  }

  private note(kind: ClientKind, text: string): void {
    this.noted += 1
    this.notes.push(`${new Date().toISOString()} ${kind}: ${text}`)
    if (this.notes.length > notesMax * 2) this.notes.splice(0, notesMax)
  }
  private complete(value: string, outcome: Outcome<Stored>): void {
    this.open.get(value)?.(outcome)
    this.open.delete(value)
  }
  /** A reader is given every offset once, in order (L8). What another reader has seen at the same offset is not kept again. */
  private read(kind: ClientKind, partition: number, offset: number, value: string): void {
    const key = `${kind} ${partition}`
    const due = this.next.get(key) ?? 0
    if (offset !== due) this.complain(`L8: the reader of ${kind} was given ${this.topic}-${partition}@${offset} after ${due - 1}`)
    this.next.set(key, offset + 1)
    const values = this.first.get(partition) ?? []
    this.first.set(partition, values)
    if (values[offset] === value) return
    values[offset] ??= value
    const { recorder } = this
    const at = recorder.next()
    recorder.polls.push({ topic: this.topic, partition, offset, value, at, since: at, process: `${kind}'s reader`, group: "", generation: -1, memberId: kind })
  }
}
