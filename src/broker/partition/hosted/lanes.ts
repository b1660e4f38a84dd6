import { Effect } from "effect"

/** Does `work` for each, `lanes` of them at a time, in order. As Effect.forEach with a concurrency, which starts and joins a fiber for each: of thousands of logs that is seen. */
export const inLanes = <A>(all: Iterable<A>, lanes: number, work: (each: A) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const rest = all[Symbol.iterator]()
    const lane: Effect.Effect<void> = Effect.suspend(() => {
      const next = rest.next()
      return next.done === true ? Effect.void : Effect.zipRight(work(next.value), lane)
    })
    return Effect.forEach(
      Array.from({ length: lanes }, () => lane),
      (each) => each,
      { concurrency: "unbounded", discard: true }
    )
  })
