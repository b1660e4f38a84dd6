import { Effect } from "effect"
import { type CliCommand, command } from "./command.ts"
import { CliFailure } from "./failure.ts"
import { print } from "./screen.ts"
import { argument, type OptionSpec } from "./spec.ts"

type Commands = ReadonlyArray<Pick<CliCommand<never>, "options" | "path" | "summary">>
type Option = OptionSpec<unknown>

const firstWords = (commands: Commands): ReadonlyArray<string> => [...new Set(commands.map(({ path }) => path[0] ?? ""))]
/** The second words of the commands behind a first word: `create` and `list` behind `topic`. */
const secondWords = (commands: Commands, first: string): ReadonlyArray<string> =>
  commands.flatMap(({ path: [one, two] }) => (one === first && two !== undefined ? [two] : []))
/** The values of an option that takes one of a few; none where it takes any. */
const choices = ({ placeholder }: Option): ReadonlyArray<string> => (/^[a-z0-9_]+(\|[a-z0-9_]+)+$/.test(placeholder) ? placeholder.split("|") : [])
const spellings = ({ alias, name }: Option): ReadonlyArray<string> => [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])]

/** The patterns of a command in the `case` of the script, which sees the first two words. A longer path is before a shorter. */
const caseOf = (path: ReadonlyArray<string>, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
  `    ${path.length === 1 ? `"${path[0]} "*` : `"${path.join(" ")}"`})`,
  ...lines.map((line) => `      ${line}`),
  "      ;;"
]

/** Completes the values of the option before the cursor, the options of the command, and files in place of free values. */
const bashCommand = ({ options, path }: Commands[number]): ReadonlyArray<string> => {
  const free = options.filter((option) => option.placeholder !== "" && choices(option).length === 0).flatMap(spellings)
  const few = options.filter((option) => choices(option).length > 0)
  return caseOf(path, [
    `words="$words ${[...options.map(({ name }) => `--${name}`), "--help"].join(" ")}"`,
    'case "$before" in',
    ...few.map((option) => `  ${spellings(option).join("|")}) words="${choices(option).join(" ")}" ;;`),
    ...(free.length === 0 ? [] : [`  ${free.join("|")}) words="" ;;`]),
    "esac"
  ])
}

const bash = (commands: Commands): ReadonlyArray<string> => {
  const firsts = firstWords(commands)
  const groups = firsts.filter((first) => secondWords(commands, first).length > 0)
  return [
    "_franz() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    words="${[...firsts, "help", "--help", "--version"].join(" ")}"`,
    '  elif [ "$COMP_CWORD" -eq 2 ]; then',
    '    case "${COMP_WORDS[1]}" in',
    `      help) words="${firsts.join(" ")}" ;;`,
    ...groups.map((first) => `      ${first}) words="${secondWords(commands, first).join(" ")}" ;;`),
    "    esac",
    "  fi",
    '  if [ "$COMP_CWORD" -ge 2 ]; then',
    '    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in',
    ...[...commands].sort((a, b) => b.path.length - a.path.length).flatMap(bashCommand),
    "    esac",
    "  fi",
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
    "}",
    "complete -o default -F _franz franz"
  ]
}

/** The completion of bash, which zsh runs. */
const zsh = (commands: Commands): ReadonlyArray<string> => [
  "(( $+functions[compdef] )) || { autoload -Uz compinit; compinit; }",
  "autoload -Uz bashcompinit",
  "bashcompinit",
  ...bash(commands)
]

const quoted = (text: string): string => `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`
const fishOption = (condition: string, option: Option): string => {
  const values = choices(option)
  const takes = option.placeholder === "" ? "" : values.length > 0 ? ` -x -a ${quoted(values.join(" "))}` : " -r"
  return `complete -c franz -n ${condition} -l ${option.name}${option.alias === undefined ? "" : ` -s ${option.alias}`}${takes} -d ${quoted(option.help)}`
}
const fish = (commands: Commands): ReadonlyArray<string> => [
  "complete -c franz -f",
  ...firstWords(commands).map((first) => {
    const own = commands.find(({ path }) => path.length === 1 && path[0] === first)
    const about = own?.summary ?? secondWords(commands, first).join(", ")
    return `complete -c franz -n __fish_use_subcommand -a ${first} -d ${quoted(about)}`
  }),
  ...commands.flatMap(({ options, path: [first = "", second], summary }) => {
    const others = secondWords(commands, first)
    const noSecond = others.length === 0 ? "" : `; and not __fish_seen_subcommand_from ${others.join(" ")}`
    const seen = quoted(`__fish_seen_subcommand_from ${first}${second === undefined ? noSecond : `; and __fish_seen_subcommand_from ${second}`}`)
    const word =
      second === undefined ? [] : [`complete -c franz -n ${quoted(`__fish_seen_subcommand_from ${first}${noSecond}`)} -a ${second} -d ${quoted(summary)}`]
    return [...word, ...options.map((option) => fishOption(seen, option))]
  })
]

const scripts: Readonly<Record<string, (commands: Commands) => ReadonlyArray<string>>> = { bash, zsh, fish }

/** `franz completion SHELL`: the commands, their options and the values of these, from the tables of the help. */
export const completionCommand = (others: Commands): CliCommand<never> => {
  const own: CliCommand<never> = command({
    path: "completion",
    summary: "print the completion of commands and options for a shell",
    example: ["source <(franz completion bash)", "source <(franz completion zsh)", "franz completion fish | source"],
    options: {},
    argument: argument("SHELL", `One of ${Object.keys(scripts).join(", ")}.`),
    run: (_, shell) => {
      const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
      if (script === undefined)
        return Effect.fail(new CliFailure({ exit: "usage", message: `there is no completion for '${shell}': expected ${Object.keys(scripts).join(", ")}.` }))
      return Effect.sync(() => script([...others, own]).forEach((line) => print(line)))
    }
  })
  return own
}
