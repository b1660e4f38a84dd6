import { Args, Options } from "@effect/cli"
import { Option } from "effect"

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
export const optionalInteger = (about: About & { readonly placeholder?: string }): OptionSpec<Option.Option<number>> =>
  spec(about, about.placeholder ?? "N", Options.optional(Options.integer(about.name)))
export const requiredInteger = (about: About & { readonly placeholder?: string }): OptionSpec<number> =>
  spec(about, about.placeholder ?? "N", Options.integer(about.name))
export const choice = <const C extends ReadonlyArray<string>>(about: About & { readonly of: C; readonly or: C[number] }): OptionSpec<C[number]> =>
  spec(about, about.of.join("|"), Options.withDefault(Options.choice(about.name, about.of), about.or))

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
