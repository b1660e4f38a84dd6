import { type AnySetting, bool, double, int, list, long, type Setting, text } from "../setting.ts"

const shortMax = 32_767

/** Builders without a sentence of their own: they have that of their family. */
export const ints = (at: number, min?: number, max?: number): Setting<number> => int(at, min ?? -2_147_483_648, "", max)
export const shorts = (at: number, min?: number): Setting<number> => ({ ...int(at, min ?? -32_768, "", shortMax), type: "short" })
export const longs = (at: number, min?: number): Setting<number> => long(at, min ?? Number.MIN_SAFE_INTEGER, "")
export const doubles = (at: number, min?: number, max?: number): Setting<number> => double(at, min ?? -Number.MAX_VALUE, "", max)
export const bools = (at: boolean): Setting<boolean> => bool(at, "")
export const lists = (at: string, oneOf?: ReadonlyArray<string>): Setting<string> => list(at, "", oneOf === undefined ? {} : { oneOf })
export const texts = (at: string, oneOf?: ReadonlyArray<string>): Setting<string> => text(at, "", oneOf)
/** The name of a Java class. */
export const classes = (at: string): Setting<string> => ({ ...text(at, ""), type: "class" })
/** What DescribeConfigs never shows. */
export const passwords = (): Setting<string> => ({ ...text("", ""), type: "password", noDefault: true })
/** One of these words, in capitals or not. */
export const anyCase = (setting: Setting<string>, words: ReadonlyArray<string>): Setting<string> => ({
  ...setting,
  form: { pattern: new RegExp(`^(${words.join("|")})$`, "i"), expected: words.join(" or ") }
})
/** The same setting; it can be changed while the node runs, for single nodes and not for all of them. */
export const perBroker = <A>(setting: Setting<A>): Setting<A> => ({ ...setting, dynamic: true, perBroker: true })
/** The same setting; DescribeConfigs leaves it out while it is not set. */
export const hidden = <A>(setting: Setting<A>): Setting<A> => ({ ...setting, hidden: true })
/** The same setting; whatever is not its default is refused, with this sentence. */
export const refusing = <A>(setting: Setting<A>, why: string): Setting<A> => ({
  ...setting,
  notBuilt: { refuses: (value: A) => value !== setting.default && value !== "", why }
})

const mapped = <T extends Readonly<Record<string, AnySetting>>>(settings: T, change: (setting: AnySetting) => AnySetting): T =>
  Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, change(setting)])) as unknown as T

/** Settings of Kafka's that are taken and change nothing; `doc` says of what they are, and why. */
export const family = <const T extends Readonly<Record<string, AnySetting>>>(doc: string, settings: T): T =>
  mapped(settings, (setting) => ({ ...setting, doc, noEffect: true }))

/** Settings of Kafka's of which only the default is accepted: to ignore another value would break a promise. */
export const refused = <const T extends Readonly<Record<string, AnySetting>>>(doc: string, settings: T): T =>
  mapped(settings, (setting) => ({ ...(refusing(setting as Setting<string>, doc) as AnySetting), doc, noEffect: true }))
