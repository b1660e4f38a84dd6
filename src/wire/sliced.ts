import { Effect } from "effect"
import { elementsPerStep, type Steps, Stride } from "../../domain/kernel/steps.ts"
import { loopTurn, sliceNs } from "../ports/event-loop.ts"

export { type Steps, Stride } from "../../domain/kernel/steps.ts"
export { loopTurn, runSteps, sliceNs } from "../ports/event-loop.ts"

/** A response that takes many steps to make. The server serves other connections between the steps. */
export class Sliced<A> {
  constructor(readonly begin: () => Steps<A>) {}
}

/** The result of steps: at once if they have no pause, as for nearly all requests; otherwise in slices. */
export const promptly = <A>(steps: Steps<A>): A | Sliced<A> => {
  const first = steps.next()
  return first.done === true ? first.value : new Sliced(() => steps)
}

/** `map` over all elements, with a pause after each `perStep` of them. */
export function* mapped<A, B>(all: Iterable<A>, map: (element: A) => B, perStep = elementsPerStep): Steps<Array<B>> {
  const results: Array<B> = []
  for (const element of all) {
    results.push(map(element))
    if (results.length % perStep === 0) yield
  }
  return results
}

/** Calls `visit` with all elements, with a pause after each `perStep` of them. */
export function* visited<A>(all: Iterable<A>, visit: (element: A) => void, perStep = elementsPerStep): Steps<void> {
  let count = 0
  for (const element of all) {
    visit(element)
    if (++count % perStep === 0) yield
  }
}

/** `filter` over all elements, with pauses. */
export function* filtered<A>(all: Iterable<A>, keep: (element: A) => boolean): Steps<Array<A>> {
  const kept: Array<A> = []
  yield* visited(all, (element) => void (keep(element) && kept.push(element)))
  return kept
}

/** Counts each key, with pauses. */
export function* timesNamed<A>(all: Iterable<A>, keyOf: (element: A) => string): Steps<Map<string, number>> {
  const times = new Map<string, number>()
  yield* visited(all, (element) => {
    const key = keyOf(element)
    times.set(key, (times.get(key) ?? 0) + 1)
  })
  return times
}

/** What `answer` makes of all parts of all `wholes` (partitions of topics), put together again by `join`, with pauses. */
export function* nested<A, B, C, D>(
  wholes: Iterable<A>,
  partsOf: (whole: A) => Iterable<B>,
  answer: (whole: A, part: B) => C,
  join: (whole: A, answers: Array<C>) => D
): Steps<Array<D>> {
  const results: Array<D> = []
  const stride = new Stride()
  for (const whole of wholes) {
    const answers: Array<C> = []
    for (const part of partsOf(whole)) {
      answers.push(answer(whole, part))
      if (stride.takes()) yield
    }
    results.push(join(whole, answers))
    if (stride.takes()) yield
  }
  return results
}

/** All elements, each once, in the order of their first mention. */
export function* distinct<A>(all: Iterable<A>): Steps<Set<A>> {
  const seen = new Set<A>()
  yield* visited(all, (element) => void seen.add(element))
  return seen
}

/** Effects that are begun together by `forEachInSlices`. */
const atATime = 16

/** Runs `each` for all, some at a time, with a turn of the loop after each slice. */
export const forEachInSlices = <A, B>(all: Iterable<A>, each: (element: A) => Effect.Effect<B>): Effect.Effect<Array<B>> =>
  Effect.suspend(() => {
    const rest = all[Symbol.iterator]()
    const results: Array<B> = []
    const take = (): ReadonlyArray<A> => {
      const some: Array<A> = []
      while (some.length < atATime) {
        const next = rest.next()
        if (next.done === true) break
        some.push(next.value)
      }
      return some
    }
    const go = (sinceNs: bigint): Effect.Effect<Array<B>> =>
      Effect.suspend(() => {
        const some = take()
        if (some.length === 0) return Effect.succeed(results)
        return Effect.forEach(some, each, { concurrency: atATime }).pipe(
          Effect.flatMap((made) => {
            for (const one of made) results.push(one)
            return Effect.clockWith((clock) => {
              const now = clock.unsafeCurrentTimeNanos()
              return now - sinceNs < sliceNs
                ? go(sinceNs)
                : Effect.zipRight(
                    loopTurn,
                    Effect.suspend(() => go(clock.unsafeCurrentTimeNanos()))
                  )
            })
          })
        )
      })
    return Effect.clockWith((clock) => go(clock.unsafeCurrentTimeNanos()))
  })
