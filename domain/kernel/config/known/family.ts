import { type AnySetting, bool, double, int, list, long, type Setting, text } from "../setting.ts"

const shortMax = 32_767

/** Builders of settings without their own description: they get that of their family. */
export const ints = (at: number, min?: number, max?: number): Setting<number> => int(at, min ?? -2_147_483_648, "", max)
export const shorts = (at: number, min?: number): Setting<number> => ({ ...int(at, min ?? -32_768, "", shortMax), type: "short" })
export const longs = (at: number, min?: number): Setting<number> => long(at, min ?? Number.MIN_SAFE_INTEGER, "")
export const doubles = (at: number, min?: number, max?: number): Setting<number> => double(at, min ?? -Number.MAX_VALUE, "", max)
export const bools = (at: boolean): Setting<boolean> => bool(at, "")
export const lists = (at: string, oneOf?: ReadonlyArray<string>): Setting<string> => list(at, "", oneOf === undefined ? {} : { oneOf })
export const texts = (at: string, oneOf?: ReadonlyArray<string>): Setting<string> => text(at, "", oneOf)
/** A setting whose value is the name of a Java class. */
export const classes = (at: string): Setting<string> => ({ ...text(at, ""), type: "class" })
/** A setting whose value DescribeConfigs never returns. */
export const passwords = (): Setting<string> => ({ ...text("", ""), type: "password", noDefault: true })
/** The same setting; its value is one of these words, regardless of case. */
export const anyCase = (setting: Setting<string>, words: ReadonlyArray<string>): Setting<string> => ({
  ...setting,
  form: { pattern: new RegExp(`^(${words.join("|")})$`, "i"), expected: words.join(" or ") }
})
/** The same setting; it is dynamic, for single nodes only (Kafka's per-broker update mode). */
export const perBroker = <A>(setting: Setting<A>): Setting<A> => ({ ...setting, dynamic: true, perBroker: true })
/** The same setting; DescribeConfigs omits it while it is not set. */
export const hidden = <A>(setting: Setting<A>): Setting<A> => ({ ...setting, hidden: true })
/** The same setting; every value except its default is refused with this message. */
export const refusing = <A>(setting: Setting<A>, why: string): Setting<A> => ({
  ...setting,
  notBuilt: { refuses: (value: A) => value !== setting.default && value !== "", why }
})

const mapped = <T extends Readonly<Record<string, AnySetting>>>(settings: T, change: (setting: AnySetting) => AnySetting): T =>
  Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, change(setting)])) as unknown as T

/** Settings of Kafka that are accepted without effect; `doc` says what they configure, and why they have none. */
export const family = <const T extends Readonly<Record<string, AnySetting>>>(doc: string, settings: T): T =>
  mapped(settings, (setting) => ({ ...setting, doc, noEffect: true }))

/** Settings of Kafka of which only the default is accepted, because the operator relies on any other value. */
export const refused = <const T extends Readonly<Record<string, AnySetting>>>(doc: string, settings: T): T =>
  mapped(settings, (setting) => ({ ...(refusing(setting as Setting<string>, doc) as AnySetting), doc, noEffect: true }))
