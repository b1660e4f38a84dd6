import type { RecordHeader } from "../../../domain/log/record.ts"

/** A header to send. A header of a ConsumedRecord is one, too. */
export interface MessageHeader {
  readonly key: string
  readonly value: string | Uint8Array | null
}
/**
 * A list keeps its order, and keys may repeat (KIP-82). An object is the short form, in the order that JavaScript gives
 * to its keys.
 */
export type MessageHeaders = ReadonlyArray<MessageHeader> | Readonly<Record<string, string | Uint8Array | null>>

/** The headers of a message as they were read, in their order; names may repeat. */
export type HeaderList = ReadonlyArray<RecordHeader>
