import { Cause, Clock, Effect, ExecutionStrategy, Exit, Option, Schedule, Scope } from "effect"
import type { Fault, FaultSwitch } from "./fault-switch.ts"
import { bounds, type Operation, type Ports, type Site } from "./operations.ts"

/** How often a fault is injected into one call: into its first frame, or until the call has ended. */
export type Form = "once" | "lasting"

/** What became of one call under one fault. */
export interface Outcome {
  readonly operation: string
  readonly fault: string
  readonly form: Form
  readonly strikes: number
  /** The longest time of a call, ms, and its bound. */
  readonly waitedMs: number
  readonly boundMs: number
  /** The tag of the call's error under the fault; "ok" for none. */
  readonly result: string
  /** What did not hold. */
  readonly complaints: ReadonlyArray<string>
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  return Option.match(Cause.failureOption(exit.cause), {
    onNone: () => `defect: ${Cause.pretty(exit.cause).slice(0, 500)}`,
    onSome: (error) => String((error as { readonly _tag?: unknown })?._tag)
  })
}

/** The time after its bound at which a call is given up, ms: it hangs. */
const hangMs = 60_000
interface Timed {
  readonly ms: number
  readonly result: string
}
const timed = <R>(act: Effect.Effect<unknown, unknown, R>, boundMs: number): Effect.Effect<Timed, never, R> =>
  Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    const exit = yield* Effect.timeoutOption(Effect.disconnect(Effect.exit(act)), boundMs + hangMs)
    return { ms: (yield* Clock.currentTimeMillis) - from, result: Option.match(exit, { onNone: () => "hangs", onSome: outcomeOf }) }
  })

interface Case {
  readonly operation: Operation
  readonly fault: Fault
  readonly form: Form
  readonly site: Site
  readonly faults: FaultSwitch
  /** How much longer than its bound a call may take on this machine, ms. */
  readonly slackMs: number
  /** Makes the clients again, and repeats the calls before and after the fault, until they work: the machine may stand still for seconds. */
  readonly isPatient?: boolean
}
/** How long a patient case repeats a call, ms. */
const patienceMs = 40_000
const patiently = Schedule.intersect(Schedule.spaced(100), Schedule.upTo(Schedule.forever, patienceMs))

/** Makes the clients of an operation in the scope. What an attempt has made is closed where it fails. */
const prepared = (operation: Operation, site: Site, scope: Scope.Scope) =>
  Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (own) =>
    Effect.onError(Scope.extend(operation.prepare(site), own), (cause) => Scope.close(own, Exit.failCause(cause)))
  )

/**
 * Runs a call four times: before the fault, under it, when it is over, and the end of the clients under it again. The
 * call ends within its bound each time with a value or a typed error, and works when the fault is over.
 */
export const runCase = ({ fault, faults, form, isPatient = false, operation, site, slackMs }: Case): Effect.Effect<Outcome, never, Ports> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const complaints: Array<string> = []
    const check = (what: string, { ms, result }: Timed, boundMs: number, mustWork: boolean): void => {
      if (result === "hangs" || result.startsWith("defect")) complaints.push(`${what}: ${result}`)
      else if (ms > boundMs + slackMs) complaints.push(`${what}: took ${Math.round(ms)} ms, over its bound of ${boundMs} ms (${result})`)
      if (mustWork && result !== "ok") complaints.push(`${what}: ${result}`)
    }
    const { boundMs, name } = operation
    const once = prepared(operation, site, scope)
    const made = yield* Effect.exit(isPatient ? Effect.retry(once, patiently) : once)
    const act = Exit.isSuccess(made) ? made.value : Effect.failCause(made.cause)
    const untilItWorks = Effect.retry(act, patiently)
    if (isPatient) check("before the fault", yield* timed(untilItWorks, patienceMs + boundMs), patienceMs + boundMs, true)
    else check("before the fault", yield* timed(act, boundMs), boundMs, true)

    faults.inject(fault, form === "once" ? 1 : Number.POSITIVE_INFINITY)
    const under = yield* timed(act, boundMs)
    check("under the fault", under, boundMs, fault.harmless === true && !isPatient)
    faults.clear()
    // The first call after it may meet connections that are silent.
    const afterMs = isPatient ? patienceMs + boundMs : 3 * boundMs
    check("after the fault", yield* timed(isPatient ? untilItWorks : Effect.retry(act, { times: 2 }), afterMs), afterMs, true)

    faults.inject(fault)
    const end = yield* timed(Scope.close(scope, Exit.void), bounds.closeTimeoutMs)
    check("the end of the client under the fault", end, bounds.closeTimeoutMs, true)
    faults.clear()
    return { operation: name, fault: fault.name, form, strikes: faults.strikes, waitedMs: under.ms, boundMs, result: under.result, complaints }
  })
