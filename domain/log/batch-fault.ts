import { Data } from "effect"
import type { KafkaError } from "../kernel/error-code.ts"

/**
 * What is wrong with bytes that should be record batches: Kafka's error, the byte where it shows (from the start of
 * what was read), and a sentence.
 */
export class BatchFault extends Data.TaggedError("BatchFault")<{ readonly error: KafkaError; readonly position: number; readonly reason: string }> {
  override get message(): string {
    return `${this.reason} (at byte ${this.position})`
  }
}
