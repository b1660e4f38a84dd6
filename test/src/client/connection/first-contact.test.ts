import { expect, test } from "bun:test"
import { Effect, Logger, Option } from "effect"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { withFake } from "../support.ts"

/** The lines of the log while a producer connects. */
const linesOf = (options: { readonly leader: string; readonly retryTimeoutMs: number }) =>
  withFake(() =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
      const made = Effect.scoped(Producer.make(options)).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const failed = Option.map(yield* Effect.option(Effect.flip(made)), ({ _tag }) => _tag)
      return { failed: Option.getOrUndefined(failed), lines }
    })
  )

test("a client whose cluster does not respond says so once while it tries, and says nothing when it fails soon", async () => {
  const { failed, lines } = await linesOf({ leader: "absent:9092", retryTimeoutMs: 30_000 })
  expect(failed).toBe("NotReachable")
  expect(lines).toEqual([expect.stringMatching(/^WARN The client tries to connect until retryTimeoutMs=30000 is over\. No node responds at absent:9092: /)])
  expect(await linesOf({ leader: "absent:9092", retryTimeoutMs: 2000 })).toEqual({ failed: "NotReachable", lines: [] })
  expect(await linesOf({ leader: "absent:9092,node0:9092", retryTimeoutMs: 30_000 })).toEqual({ failed: undefined, lines: [] })
})
