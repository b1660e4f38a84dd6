import type { Record, RecordHeader } from "../../../../domain/log/record.ts"

const utf8 = new TextDecoder()

/** A message as it was read. Its bytes are views of the fetched batch. */
export class ConsumedRecord {
  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly record: Record,
    /**
     * The topic's id, which tells it from another topic of the same name; undefined where the cluster has no topic ids.
     */
    readonly topicId?: string
  ) {}

  get offset(): number {
    return this.record.offset
  }
  /** ms since 1970; -1 where the record has none. */
  get timestamp(): number {
    return this.record.timestamp
  }
  get key(): Uint8Array | null {
    return this.record.key
  }
  /** Null is a tombstone: a compacted topic deletes the messages of the key. */
  get value(): Uint8Array | null {
    return this.record.value
  }
  /** In the order in which they were sent; names may repeat (KIP-82). */
  get headers(): ReadonlyArray<RecordHeader> {
    return this.record.headers
  }
  /** The headers as an object, by name. Of a name that repeats, the last header counts, as in Kafka's `lastHeader`. */
  get headerObject(): Readonly<{ [name: string]: Uint8Array | null }> {
    return Object.fromEntries(this.record.headers.map(({ key, value }) => [key, value]))
  }
  /** The last header of this name as UTF-8 text; null for one without a value, undefined where there is none. */
  headerText(name: string): string | null | undefined {
    const found = this.record.headers.findLast(({ key }) => key === name)
    if (found === undefined) return undefined
    return found.value === null ? null : utf8.decode(found.value)
  }
  /** The value as UTF-8 text; "" for null. */
  get text(): string {
    return this.record.value === null ? "" : utf8.decode(this.record.value)
  }
  get keyText(): string | null {
    return this.record.key === null ? null : utf8.decode(this.record.key)
  }
}
