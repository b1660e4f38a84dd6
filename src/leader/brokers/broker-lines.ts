import { Effect } from "effect"

/** Lines about one broker, and about all of them, that are written in a minute; the others are counted. */
const linesPerBrokerMax = 3
const linesMax = 30
/** Brokers that the count at the end of a minute names. */
const namedMax = 5

/** How long a window lasts, ms. */
export const brokerLinesMs = 60_000

interface Told {
  readonly name: string
  lines: number
  more: number
}

/** What the leader says about brokers that come and go: the first changes one by one, and a flood of them as one line with the figures. */
export class BrokerLines {
  private readonly told = new Map<number, Told>()
  private lines = 0

  /** `line` is logged, or counted where there were enough of them; `name` says which broker and where. */
  say(id: number, name: string, line: Effect.Effect<void>): Effect.Effect<void> {
    const told = this.told.get(id) ?? { name, lines: 0, more: 0 }
    this.told.set(id, told)
    if (told.lines >= linesPerBrokerMax || this.lines >= linesMax) {
      told.more++
      return Effect.void
    }
    told.lines++
    this.lines++
    return line
  }

  /** The window ends: what was counted is told. */
  readonly turn: Effect.Effect<void> = Effect.suspend(() => {
    const noisy = [...this.told.values()].filter(({ more }) => more > 0).sort((one, other) => other.more - one.more)
    this.told.clear()
    this.lines = 0
    if (noisy.length === 0) return Effect.void
    const named = noisy.slice(0, namedMax).map(({ more, name }) => `${name}: ${more}`)
    const others = noisy.length > namedMax ? `, and ${noisy.length - namedMax} more brokers` : ""
    return Effect.logWarning(`brokers come and go, or are refused; what was not said in the last minute, by broker: ${named.join(", ")}${others}`)
  })
}
