import { Sliced } from "../../../src/wire/sliced.ts"

/** Runs the steps of what a handler answers, one after the other, until it is no Sliced any more. */
export const atOnce = <A>(answer: A | Sliced<A>): A => {
  if (!(answer instanceof Sliced)) return answer
  const steps = answer.begin()
  for (;;) {
    const step = steps.next()
    if (step.done === true) return atOnce(step.value)
  }
}
