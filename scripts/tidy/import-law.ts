import { type Finding, importsOf, type Source } from "./source.ts"

/**
 * Who may know whom: the table of docs/architecture.md, as data. A specifier is resolved to a path from the root first, so that no spelling of a relative
 * path gets around it. A room may always import itself.
 */
interface Law {
  readonly room: RegExp
  /** Rooms, resolved paths. */
  readonly may: ReadonlyArray<RegExp>
  /** Packages and platform modules; `undefined` allows all of them, and the globals of the platform (globals.ts). */
  readonly packages: ReadonlyArray<RegExp> | undefined
  /** All that may be taken from "effect" here; `undefined` allows all of it. */
  readonly fromEffect?: ReadonlySet<string>
}

/** Effect's data modules and its plain functions: values without a runtime, a clock or services. */
const dataOfEffect: ReadonlySet<string> = new Set(
  `Array BigDecimal BigInt Boolean Brand Chunk Data Either Encoding Equal Equivalence Function HKT Hash HashMap HashSet List Match MutableHashMap MutableHashSet
  MutableList MutableRef Number Option Order Ordering ParseResult Predicate Record RedBlackTree Schema SchemaAST SortedMap SortedSet String Struct Trie Tuple Types
  absurd flow hole identity pipe unsafeCoerce`.split(/\s+/)
)
const effectOnly = [/^effect$/, /^effect\/\w+$/]
const platform = undefined

/** The first law whose room holds a file is the file's. */
export const laws: ReadonlyArray<Law> = [
  { room: /^domain\//, may: [/^domain\//], packages: effectOnly, fromEffect: dataOfEffect },
  { room: /^src\/protocol\//, may: [/^domain\/(kernel|log)\//], packages: effectOnly, fromEffect: dataOfEffect },
  { room: /^src\/ports\//, may: [/^domain\//], packages: effectOnly },
  { room: /^src\/wire\//, may: [/^domain\/kernel\//, /^src\/(protocol|ports)\//], packages: effectOnly },
  { room: /^src\/serve\//, may: [/^domain\//, /^src\/(protocol|ports|wire)\//], packages: effectOnly },
  { room: /^src\/stream\//, may: [/^domain\//, /^src\/ports\//], packages: effectOnly },
  { room: /^src\/groups\//, may: [/^domain\//, /^src\/(protocol|ports|wire|stream|serve)\//], packages: effectOnly },
  { room: /^src\/leader\//, may: [/^domain\//, /^src\/(protocol|ports|wire|stream|groups|serve)\//], packages: effectOnly },
  { room: /^src\/broker\//, may: [/^domain\//, /^src\/(protocol|ports|wire|stream|groups|serve)\//], packages: effectOnly },
  { room: /^src\/client\//, may: [/^domain\//, /^src\/(protocol|ports|wire)\//], packages: effectOnly },
  { room: /^src\/cli\//, may: [/^domain\//, /^src\/client\//], packages: platform },
  { room: /^src\/programs\//, may: [/./], packages: platform },
  { room: /^adapters\//, may: [/^domain\//, /^src\/ports\//], packages: platform },
  { room: /^scripts\//, may: [/^(domain|src|adapters|scripts|test)\//], packages: platform },
  { room: /^test\//, may: [/./], packages: platform }
]

const roomOf = (path: string): string => path.match(/^(domain\/|src\/[^/]+\/|adapters\/[^/]+\/|scripts\/|test\/)/)?.[1] ?? path
const isModule = (specifier: string): boolean => !specifier.startsWith(".")

/** What an import takes from Effect: the module that its path names, or the names in its braces; all of it is "everything". */
const takenFromEffect = ({ names, specifier }: ReturnType<typeof importsOf>[number]): ReadonlyArray<string> => {
  if (!/^effect(\/|$)/.test(specifier)) return []
  if (specifier !== "effect") return [specifier.slice("effect/".length)]
  const listed = names.match(/\{([^}]*)\}/)?.[1]
  if (listed === undefined) return ["everything"]
  return listed
    .split(",")
    .map((name) =>
      name
        .trim()
        .replace(/^type\s+/, "")
        .replace(/\s+as\s.*$/, "")
    )
    .filter((name) => name !== "")
}

const judge = (law: Law, from: string, found: ReturnType<typeof importsOf>[number]): string | undefined => {
  if (isModule(found.specifier)) {
    if (law.packages && !law.packages.some((pattern) => pattern.test(found.specifier)))
      return `${roomOf(from)} must not import "${found.specifier}": the platform belongs to adapters and programs.`
    const { fromEffect } = law
    const forbidden = fromEffect === undefined ? undefined : takenFromEffect(found).find((name) => !fromEffect.has(name))
    return forbidden === undefined
      ? undefined
      : `${roomOf(from)} must not import ${forbidden} of Effect: data modules only (scripts/tidy/import-law.ts lists them).`
  }
  const [mine, theirs] = [roomOf(from), roomOf(found.target)]
  if (mine === theirs) return undefined
  if (theirs === "src/programs/" && mine !== "test/" && mine !== "scripts/") return `${mine} must not import ${found.target}: programs are never imported.`
  return law.may.some((pattern) => pattern.test(found.target))
    ? undefined
    : `${mine} must not import ${found.target}: see the import law in docs/architecture.md.`
}

/** Imports that the law forbids. */
export const importLaw = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  sources.flatMap((source) => {
    const law = laws.find(({ room }) => room.test(source.path))
    if (!law) return [{ path: source.path, line: 1, message: "this file lies in no room of the house." }]
    return importsOf(source).flatMap((found) => {
      const message = judge(law, source.path, found)
      return message ? [{ path: source.path, line: found.line, message }] : []
    })
  })
