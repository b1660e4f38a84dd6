import { Either, Option } from "effect"
import { timeForms, timeOf } from "../shell/time.ts"

/** Where reading begins in each partition: an end of its log, an offset, a time (ms since 1970), or N offsets before its end. */
type Start = "start" | "end" | { readonly offset: number } | { readonly timestamp: number } | { readonly last: number }

/** The part of each partition that a command reads. */
export interface Range {
  readonly start: Start | undefined
  /** ms since 1970: reading ends before the first message of this time or later. */
  readonly untilMs: number | undefined
}

interface RangeWords {
  readonly from: ReadonlyArray<string>
  readonly fromTime: Option.Option<string>
  readonly toTime: Option.Option<string>
  readonly last: Option.Option<number>
}

const expected = "expected start (earliest), end (latest), an offset, -N, s@TIME or e@TIME, e.g. --from 42"

const wholeOf = (text: string): number | undefined => {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}

type Bound = { readonly start: Start } | { readonly untilMs: number }

const lastOf = (option: string, text: string): Either.Either<Bound, string> => {
  const last = wholeOf(text)
  return last === undefined || last < 1 ? Either.left(`${option}: expected a whole number of messages from 1.`) : Either.right({ start: { last } })
}
const timed = (option: string, text: string, nowMs: number, bound: (ms: number) => Bound): Either.Either<Bound, string> => {
  const ms = timeOf(text, nowMs)
  return ms === undefined ? Either.left(`${option}: expected ${timeForms}.`) : Either.right(bound(ms))
}
const startAt = (timestamp: number): Bound => ({ start: { timestamp } })
const until = (untilMs: number): Bound => ({ untilMs })

/** kcat's words, and Kafka's of auto.offset.reset. */
const startWords: ReadonlySet<string> = new Set(["start", "beginning", "earliest"])
const endWords: ReadonlySet<string> = new Set(["end", "latest"])

/** One `--from`, in the words of kcat's `-o`. */
const fromOf = (text: string, nowMs: number): Either.Either<Bound, string> => {
  const option = `--from ${text}`
  if (startWords.has(text)) return Either.right({ start: "start" })
  if (endWords.has(text)) return Either.right({ start: "end" })
  if (text.startsWith("-")) return lastOf(option, text.slice(1))
  if (text.startsWith("s@")) return timed(option, text.slice(2), nowMs, startAt)
  if (text.startsWith("e@")) return timed(option, text.slice(2), nowMs, until)
  const offset = wholeOf(text)
  return offset === undefined ? Either.left(`${option}: ${expected}.`) : Either.right({ start: { offset } })
}

/** Reads the options that say where reading begins and ends, or says what is wrong with them. `nowMs` is the present. */
export const rangeOf = ({ from, fromTime, last, toTime }: RangeWords, nowMs: number): Either.Either<Range, string> =>
  Either.gen(function* () {
    const bounds = yield* Either.all([
      ...from.map((text) => fromOf(text, nowMs)),
      ...Option.toArray(fromTime).map((text) => timed(`--from-time ${text}`, text, nowMs, startAt)),
      ...Option.toArray(toTime).map((text) => timed(`--to-time ${text}`, text, nowMs, until)),
      ...Option.toArray(last).map((count) => lastOf(`--last ${count}`, String(count)))
    ])
    const starts = bounds.flatMap((bound) => ("start" in bound ? [bound.start] : []))
    const ends = bounds.flatMap((bound) => ("untilMs" in bound ? [bound.untilMs] : []))
    if (starts.length > 1) return yield* Either.left("reading begins at one place: give one of --from, --from-time and --last.")
    if (ends.length > 1) return yield* Either.left("reading ends at one time: give one of --to-time and --from e@TIME.")
    return { start: starts[0], untilMs: ends[0] }
  })
