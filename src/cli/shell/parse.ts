import { Data, Either } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import type { ArgSpec, OptionSpec } from "./spec.ts"

export type Specs = Readonly<Record<string, OptionSpec<any>>>
/** The values of a command's options, by the keys of its table. */
export type Values<S extends Specs> = { readonly [K in keyof S]: S[K] extends OptionSpec<infer A> ? A : never }

/** Why a command line is not one of the command's. */
type UsageError = Data.TaggedEnum<{
  /** `known`: the options that the command has. */
  UnknownOption: { readonly option: string; readonly known: ReadonlyArray<string> }
  ValueMissing: { readonly option: string; readonly placeholder: string }
  GivenTwice: { readonly option: string }
  InvalidValue: { readonly option: string; readonly value: string; readonly expected: string; readonly suggestion: string }
  OptionsMissing: { readonly options: ReadonlyArray<string> }
  ArgumentMissing: { readonly argument: string }
  ArgumentTooMany: { readonly word: string }
}>
const UsageError = Data.taggedEnum<UsageError>()

/** "a", "a and b", "a, b and c". */
const listed = (words: ReadonlyArray<string>): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`)

/** The error as a sentence for the user, with the option that was probably meant. */
export const usageSentence: (error: UsageError) => string = UsageError.$match({
  UnknownOption: ({ known, option }) => `there is no option ${option} here.${didYouMean(option, known)}`,
  ValueMissing: ({ option, placeholder }) => `${option} needs a value: ${option} ${placeholder}.`,
  GivenTwice: ({ option }) => `${option} is given twice.`,
  InvalidValue: ({ expected, option, suggestion, value }) => `${option} ${value}: expected ${expected}.${suggestion}`,
  OptionsMissing: ({ options }) => `${listed(options)} must be given.`,
  ArgumentMissing: ({ argument }) => `${argument} is missing.`,
  ArgumentTooMany: ({ word }) => `'${word}' is one word too many.`
})

/** What the command line has for each option, by its name, and the words that belong to none. */
interface Words {
  readonly values: ReadonlyMap<string, ReadonlyArray<string>>
  readonly rest: ReadonlyArray<string>
}

/** A negative number and a lone `-` are arguments. */
const looksLikeOption = (word: string): boolean => /^--?[a-z]/i.test(word)

/**
 * Sorts the words into options and arguments, from left to right. `--name=value` is `--name value`. The word behind an
 * option that takes a value is its value, whatever it looks like; a flag takes `true` or `false`. Everything behind
 * `--` is an argument. A word that looks like an option and is none is an error: as an argument it would make a topic
 * `--bootstrap`.
 */
const sorted = (words: ReadonlyArray<string>, specs: ReadonlyArray<OptionSpec<unknown>>): Either.Either<Words, UsageError> => {
  const values = new Map<string, Array<string>>()
  const rest: Array<string> = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    if (word === "--") return Either.right({ values, rest: [...rest, ...words.slice(at + 1)] })
    if (!looksLikeOption(word)) {
      rest.push(word)
      continue
    }
    const equals = word.startsWith("--") ? word.indexOf("=") : -1
    const option = equals < 0 ? word : word.slice(0, equals)
    const spec = specs.find(({ alias, name }) => option === `--${name}` || option === `-${alias}`)
    if (spec === undefined) return Either.left(UsageError.UnknownOption({ option, known: ["--help", ...specs.map(({ name }) => `--${name}`)] }))
    const given = values.get(spec.name) ?? []
    if (given.length > 0 && !spec.isRepeatable) return Either.left(UsageError.GivenTwice({ option }))
    const next = words[at + 1]
    const takesNext = equals < 0 && (spec.placeholder !== "" || next === "true" || next === "false")
    if (takesNext && next === undefined) return Either.left(UsageError.ValueMissing({ option, placeholder: spec.placeholder }))
    given.push(equals >= 0 ? word.slice(equals + 1) : takesNext && next !== undefined ? next : "true")
    values.set(spec.name, given)
    if (takesNext) at++
  }
  return Either.right({ values, rest })
}

/** Reads the options; all that are missing are named at once. */
const optionsOf = <S extends Specs>(specs: S, values: Words["values"]): Either.Either<Values<S>, UsageError> => {
  const options: Record<string, unknown> = {}
  const missing: Array<string> = []
  for (const [key, spec] of Object.entries(specs)) {
    const option = `--${spec.name}`
    const value = spec.read(values.get(spec.name) ?? [])
    if (Either.isRight(value)) options[key] = value.right
    else if (value.left._tag === "Missing") missing.push(option)
    else return Either.left(UsageError.InvalidValue({ option, ...value.left }))
  }
  // The keys are those of `specs`, and each value is what the option of that key has read.
  return missing.length === 0 ? Either.right(options as Values<S>) : Either.left(UsageError.OptionsMissing({ options: missing }))
}

/** The options and the argument that the words behind a command's name say. */
export const parseWords = <S extends Specs, A>(
  specs: S,
  argument: ArgSpec<A>,
  words: ReadonlyArray<string>
): Either.Either<{ readonly options: Values<S>; readonly argument: A }, UsageError> =>
  Either.gen(function* () {
    const { rest, values } = yield* sorted(words, Object.values(specs))
    const options = yield* optionsOf(specs, values)
    if (rest.length < argument.countMin) return yield* Either.left(UsageError.ArgumentMissing({ argument: argument.name }))
    const tooMany = rest[argument.countMax]
    if (tooMany !== undefined) return yield* Either.left(UsageError.ArgumentTooMany({ word: tooMany }))
    return { options, argument: argument.read(rest) }
  })
