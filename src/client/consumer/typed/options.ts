import type { Effect, Schedule } from "effect"
import type { MemberOptions } from "../options.ts"
import type { RunOptions } from "../run/options.ts"

export interface RetriesOptions<A, E, E2, R2> {
  /** How often a message is handled, the first time included. Default 3. */
  readonly attempts?: number
  /** The pause between two attempts, ms. Default 1,000. */
  readonly delayMs?: number
  /** The pauses in place of `delayMs`. The bound of `attempts` holds too. */
  readonly schedule?: Schedule.Schedule<unknown, E>
  /**
   * Runs after the last attempt, with its error and how many times the message was handled: a `deadLetter`, for example.
   * When it succeeds the message counts as processed.
   */
  readonly giveUp: (message: A, error: unknown, attempts: number) => Effect.Effect<unknown, E2, R2>
}

export interface RetryTopicOptions {
  /** The topic in which messages wait for their next attempt. It should exist, with a `retention.ms` over `delayMs`. */
  readonly topic: string
  /** The topic of the messages whose last attempt failed. */
  readonly deadLetter: string
  /** How often a message is handled, the first time included. Default 3. */
  readonly attempts?: number
  /** How long a message waits for its next attempt, ms, at least. Default 1,000. */
  readonly delayMs?: number
}

/** What a worker does with a message whose handling fails. */
export interface WorkerRetries {
  /** How often a message is handled, the first time included. Default 3. */
  readonly attempts?: number
  /** How long a message waits for its next attempt, ms. Default 1,000. */
  readonly delayMs?: number
  /**
   * A topic in which it waits, so that its partition continues (see `retryTopic`). Without it the partition waits, and
   * keeps its order.
   */
  readonly topic?: string
}

export interface WorkerOptions<E = never, R = never> extends MemberOptions, Omit<RunOptions<E, R>, "dueAt"> {
  /**
   * The topic for messages that the schemas cannot decode, and for those whose last attempt failed. It should exist: a
   * worker stops where it can neither handle a message nor put it aside.
   */
  readonly deadLetter: string
  /** Default: 3 attempts in place, 1 s apart. */
  readonly retries?: WorkerRetries
}
