import type { Broker, Brokers, Side } from "./broker.ts"
import type { Clusters } from "./cluster.ts"
import type { TopicSpec } from "./topic.ts"

/** What a figure is to reach: so many times better than the peer, or a bound of its own. */
export type Goal = { readonly times: number } | { readonly atMost: number } | { readonly atLeast: number }

/** A figure of docs/performance.md. */
export interface Figure {
  readonly id: string
  readonly figure: string
  readonly unit: string
  /** Whether more is better: throughput; else cost. */
  readonly more: boolean
  readonly must?: Goal
  readonly stretch?: Goal
}

/** How much is done: little in the tiny form, which only shows that the row works. */
export interface Amount {
  readonly rounds: number
  readonly seconds: number
  /** Load before the clock runs. */
  readonly warmSeconds: number
  readonly tiny: boolean
}

/** Values of one measurement, by the figure's id. */
export type Values = Readonly<Record<string, number>>
export interface Sample {
  readonly side: Side
  readonly values: Values
}

interface Named {
  readonly id: string
  readonly name: string
  readonly figures: ReadonlyArray<Figure>
  /** What a machine lacks for it, as a sentence. */
  readonly lacks?: () => string | undefined
}

/** Measured in turns at brokers that run and are warm, once a round at each. */
export interface LoadRow extends Named {
  readonly kind: "load"
  /** Made before and removed after it. */
  readonly topics: (broker: Broker) => ReadonlyArray<TopicSpec>
  readonly prepare?: (broker: Broker, amount: Amount) => Promise<void>
  readonly measure: (broker: Broker, amount: Amount) => Promise<Values>
}
/** Starts what it measures itself. */
export interface OwnRow extends Named {
  readonly kind: "own"
  readonly run: (brokers: Brokers & Clusters, amount: Amount, say: (sample: Sample) => void) => Promise<void>
}
export type Row = LoadRow | OwnRow

export const times = (value: number): Goal => ({ times: value })
export const atMost = (value: number): Goal => ({ atMost: value })
export const atLeast = (value: number): Goal => ({ atLeast: value })
