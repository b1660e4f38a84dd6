/**
 * What a terminal would obey, what would begin a new line, and what changes how its neighbours look: control characters
 * (C0, DEL, C1), format characters (direction marks and overrides, invisible ones), line and paragraph separators,
 * halves of surrogate pairs.
 */
const unprintable = /(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const unprintableButLines = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** `\u001b`; a character beyond the basic plane as the two halves that JSON and Java write. */
const escape = (character: string): string =>
  Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")

/**
 * Returns the text in one line that any terminal may be given: what is unprintable as `\uXXXX`, but for tabs. Applied
 * twice it changes nothing more.
 */
export const printable = (text: string): string => text.replace(unprintable, escape)

/** The same for text of several lines: line feeds and tabs stay. */
export const printableLines = (text: string): string => text.replace(unprintableButLines, escape)

/** Returns a JSON text of the same value without any unprintable character but the white space between its tokens. */
export const printableJson = (json: string): string => json.replace(unprintableButLines, escape)

/** Returns the text with a `?` for each unprintable character: for names that are kept and shown at one width. */
export const masked = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "?")
