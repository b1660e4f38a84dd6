import type { Record, RecordHeader } from "../../../../domain/log/record.ts"

const utf8 = new TextDecoder()

/** A message as it was read. */
export class ConsumedRecord {
  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly record: Record,
    /** The topic's id, which tells it from another topic of its name; undefined where the cluster has none. */
    readonly topicId?: string
  ) {}

  get offset(): number {
    return this.record.offset
  }
  /** ms since 1970; -1 where there is none. */
  get timestamp(): number {
    return this.record.timestamp
  }
  get key(): Uint8Array | null {
    return this.record.key
  }
  /** Null is a tombstone: the key's messages are deleted. */
  get value(): Uint8Array | null {
    return this.record.value
  }
  get headers(): ReadonlyArray<RecordHeader> {
    return this.record.headers
  }
  /** The value read as UTF-8; "" for null. */
  get text(): string {
    return this.record.value === null ? "" : utf8.decode(this.record.value)
  }
  get keyText(): string | null {
    return this.record.key === null ? null : utf8.decode(this.record.key)
  }
}
