import { Either } from "effect"
import { type Decider, fold } from "../../domain/kernel/decider.ts"
import type { KafkaError, Rejection } from "../../domain/kernel/error-code.ts"

/** A command, or a function that makes it from the state before it. */
type Next<State, Command> = Command | ((state: State) => Command)

/**
 * Given a state of an aggregate, when it decides a command, then its events or its error. One notation for every
 * decider.
 */
export class Given<State, Command extends { readonly _tag: string }, Event extends { readonly _tag: string }> {
  constructor(
    readonly decider: Decider<State, Command, Event, Rejection>,
    readonly state: State = decider.initial
  ) {}

  private decide(next: Next<State, Command>): Either.Either<ReadonlyArray<Event>, Rejection> {
    return this.decider.decide(this.state, typeof next === "function" ? next(this.state) : next)
  }

  /** The same aggregate after these commands, none of which may be refused. */
  after(...commands: ReadonlyArray<Next<State, Command>>): Given<State, Command, Event> {
    return commands.reduce<Given<State, Command, Event>>(
      (given, command) => new Given(given.decider, fold(given.decider.evolve, given.state, given.events(command))),
      this
    )
  }
  /** Then the command gives these events; it may not be refused. */
  events(command: Next<State, Command>): ReadonlyArray<Event> {
    return Either.getOrThrowWith(this.decide(command), ({ error, message }) => new Error(`${JSON.stringify(command)}: ${error} ${message}`))
  }
  /** Then the command gives events with these names. */
  tags(command: Next<State, Command>): ReadonlyArray<Event["_tag"]> {
    return this.events(command).map(({ _tag }) => _tag)
  }
  /** Then it is refused with this rejection; undefined: it is accepted. */
  rejection(command: Next<State, Command>): Rejection | undefined {
    return Either.match(this.decide(command), { onLeft: (rejection): Rejection | undefined => rejection, onRight: () => undefined })
  }
  /** Then it is refused with this error. */
  error(command: Next<State, Command>): KafkaError | "allowed" {
    return this.rejection(command)?.error ?? "allowed"
  }
}
