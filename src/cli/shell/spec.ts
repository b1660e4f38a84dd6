import { Either, Option } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"

/** Why the values of an option cannot be used. */
type ValueFault =
  | { readonly _tag: "Missing" }
  /**
   * `expected` names the values that the option takes, as "a whole number". `suggestion` is empty or a further
   * sentence.
   */
  | { readonly _tag: "Invalid"; readonly value: string; readonly expected: string; readonly suggestion: string }

/** One option of a command: the parser, the usage line and the help are made from it. */
export interface OptionSpec<A> {
  readonly name: string
  readonly alias?: string
  /** The name of its value in the usage line, e.g. HOST:PORT; empty for a flag. */
  readonly placeholder: string
  readonly help: string
  readonly isRepeatable: boolean
  /**
   * The option's value, given what the command line has for it in its order; nothing where the command line does not
   * have the option.
   */
  readonly read: (values: ReadonlyArray<string>) => Either.Either<A, ValueFault>
}

/** The arguments of a command: the words that belong to no option. */
export interface ArgSpec<A> {
  /** Its name in the usage line, without brackets and dots. */
  readonly name: string
  readonly placeholder: string
  readonly help: string
  readonly countMin: number
  readonly countMax: number
  /** The command's argument, given between `countMin` and `countMax` words. */
  readonly read: (words: ReadonlyArray<string>) => A
}

interface About {
  readonly name: string
  readonly alias?: string
  readonly help: string
}
interface AboutValue extends About {
  readonly placeholder: string
}
interface AboutNumber extends About {
  readonly placeholder?: string
}
type ReadValue<A> = (value: string) => Either.Either<A, ValueFault>

const missing: ValueFault = { _tag: "Missing" }
const invalid = (value: string, expected: string, suggestion = ""): ValueFault => ({ _tag: "Invalid", value, expected, suggestion })

/** An option that may be given once: its value, or `none` where it is left out. */
const single = <A, B>(about: AboutValue, one: ReadValue<A>, given: (value: A) => B, none: Either.Either<B, ValueFault>): OptionSpec<B> => ({
  ...about,
  isRepeatable: false,
  read: ([value]) => (value === undefined ? none : Either.map(one(value), given))
})
const itself = <A>(value: A): A => value

const asText: ReadValue<string> = Either.right
const asInteger: ReadValue<number> = (value) => (/^-?\d{1,15}$/.test(value) ? Either.right(Number(value)) : Either.left(invalid(value, "a whole number")))

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  y: true,
  on: true,
  "1": true,
  false: false,
  no: false,
  n: false,
  off: false,
  "0": false
}
const asTruth: ReadValue<boolean> = (value) => {
  const truth = Object.hasOwn(truths, value) ? truths[value] : undefined
  return truth === undefined ? Either.left(invalid(value, "true or false")) : Either.right(truth)
}

export const flag = (about: About): OptionSpec<boolean> => single({ ...about, placeholder: "" }, asTruth, itself, Either.right(false))
export const requiredText = (about: AboutValue): OptionSpec<string> => single(about, asText, itself, Either.left(missing))
export const optionalText = (about: AboutValue): OptionSpec<Option.Option<string>> => single(about, asText, Option.some, Either.right(Option.none()))
export const repeatedText = (about: AboutValue): OptionSpec<ReadonlyArray<string>> => ({ ...about, isRepeatable: true, read: Either.right })
export const requiredInteger = (about: AboutNumber): OptionSpec<number> => single({ placeholder: "N", ...about }, asInteger, itself, Either.left(missing))
export const optionalInteger = (about: AboutNumber): OptionSpec<Option.Option<number>> =>
  single({ placeholder: "N", ...about }, asInteger, Option.some, Either.right(Option.none()))

/** An option that takes one of `of`, and is `or` where it is left out. */
export const choice = <const C extends ReadonlyArray<string>>({
  of,
  or,
  ...about
}: About & { readonly of: C; readonly or: C[number] }): OptionSpec<C[number]> => {
  const oneOf: ReadValue<C[number]> = (value) =>
    of.includes(value) ? Either.right(value) : Either.left(invalid(value, of.join(" or "), value.length > 2 ? didYouMean(value, of) : ""))
  return single({ ...about, placeholder: of.join("|") }, oneOf, itself, Either.right(or))
}

export const argument = (name: string, help: string): ArgSpec<string> => ({
  name,
  placeholder: name,
  help,
  countMin: 1,
  countMax: 1,
  read: ([word = ""]) => word
})
export const optionalArgument = (name: string, help: string): ArgSpec<Option.Option<string>> => ({
  name,
  placeholder: `[${name}]`,
  help,
  countMin: 0,
  countMax: 1,
  read: ([word]) => Option.fromNullable(word)
})
/** One word or several. */
export const repeatedArgument = (name: string, help: string): ArgSpec<ReadonlyArray<string>> => ({
  name,
  placeholder: `${name}…`,
  help,
  countMin: 1,
  countMax: Number.POSITIVE_INFINITY,
  read: itself
})
/** Any number of words, also none. */
export const repeatedOptionalArgument = (name: string, help: string): ArgSpec<ReadonlyArray<string>> => ({
  ...repeatedArgument(name, help),
  placeholder: `[${name}…]`,
  countMin: 0
})
export const noArgument: ArgSpec<void> = { name: "", placeholder: "", help: "", countMin: 0, countMax: 0, read: () => undefined }
