import { Args, HelpDoc, Options, ValidationError } from "@effect/cli"
import type { Option } from "effect"
import { Effect } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"

/** One word of a command line with its line in the help: what the parser reads, and what a person reads, from one place. */
export interface OptionSpec<A> {
  readonly name: string
  readonly alias?: string
  /** What stands behind it in the usage, e.g. HOST:PORT; empty for a flag. */
  readonly placeholder: string
  readonly help: string
  readonly options: Options.Options<A>
}
export interface ArgSpec<A> {
  readonly placeholder: string
  readonly help: string
  readonly args: Args.Args<A>
}

interface About {
  readonly name: string
  readonly alias?: string
  readonly help: string
}
const aliased = <A>(options: Options.Options<A>, alias: string | undefined): Options.Options<A> =>
  alias === undefined ? options : Options.withAlias(options, alias)
const spec = <A>(about: About, placeholder: string, options: Options.Options<A>): OptionSpec<A> => ({
  ...about,
  placeholder,
  options: aliased(options, about.alias)
})

export const flag = (about: About): OptionSpec<boolean> => spec(about, "", Options.boolean(about.name))
export const text = (about: About & { readonly placeholder: string; readonly or: string }): OptionSpec<string> =>
  spec(about, about.placeholder, Options.withDefault(Options.text(about.name), about.or))
export const optionalText = (about: About & { readonly placeholder: string }): OptionSpec<Option.Option<string>> =>
  spec(about, about.placeholder, Options.optional(Options.text(about.name)))
export const requiredText = (about: About & { readonly placeholder: string }): OptionSpec<string> => spec(about, about.placeholder, Options.text(about.name))
export const repeatedText = (about: About & { readonly placeholder: string }): OptionSpec<ReadonlyArray<string>> =>
  spec(about, about.placeholder, Options.repeated(Options.text(about.name)))
/** The text of an option read as something else. The parser's own readers do not say which option they speak of. */
const read = <A>(name: string, expected: string, parse: (text: string) => A | undefined): Options.Options<A> =>
  Options.mapEffect(Options.text(name), (word) => {
    const value = parse(word)
    return value === undefined ? Effect.fail(ValidationError.invalidValue(HelpDoc.p(`--${name} ${word}: expected ${expected}.`))) : Effect.succeed(value)
  })
const integer = (name: string): Options.Options<number> => read(name, "a whole number", (word) => (/^-?\d{1,15}$/.test(word) ? Number(word) : undefined))

export const optionalInteger = (about: About & { readonly placeholder?: string }): OptionSpec<Option.Option<number>> =>
  spec(about, about.placeholder ?? "N", Options.optional(integer(about.name)))
export const requiredInteger = (about: About & { readonly placeholder?: string }): OptionSpec<number> =>
  spec(about, about.placeholder ?? "N", integer(about.name))
export const choice = <const C extends ReadonlyArray<string>>(about: About & { readonly of: C; readonly or: C[number] }): OptionSpec<C[number]> => {
  const chosen = Options.mapEffect(Options.text(about.name), (word) => {
    const found = about.of.find((one) => one === word)
    const expected = `--${about.name} ${word}: expected ${about.of.join(" or ")}.${word.length > 2 ? didYouMean(word, about.of) : ""}`
    return found === undefined ? Effect.fail(ValidationError.invalidValue(HelpDoc.p(expected))) : Effect.succeed(found)
  })
  return spec(about, about.of.join("|"), Options.withDefault(chosen, about.or))
}

export const argument = (placeholder: string, help: string): ArgSpec<string> => ({ placeholder, help, args: Args.text({ name: placeholder }) })
export const optionalArgument = (placeholder: string, help: string): ArgSpec<Option.Option<string>> => ({
  placeholder: `[${placeholder}]`,
  help,
  args: Args.optional(Args.text({ name: placeholder }))
})
export const repeatedArgument = (placeholder: string, help: string): ArgSpec<ReadonlyArray<string>> => ({
  placeholder: `${placeholder}…`,
  help,
  args: Args.atLeast(Args.text({ name: placeholder }), 1)
})
export const noArgument: ArgSpec<void> = { placeholder: "", help: "", args: Args.none }
