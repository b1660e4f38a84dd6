const address = "(\\d{1,3}(\\.\\d{1,3}){3}|\\[?[0-9a-fA-F:]*:[0-9a-fA-F:.]+\\]?|localhost)"
const entry = `${address}:\\d{1,9}`

/**
 * What `max.connections.per.ip.overrides` looks like: ADDRESS:COUNT, with a comma between two; an IPv6 address may have
 * brackets.
 */
export const connectionOverridesPattern = new RegExp(`^(${entry}(\\s*,\\s*${entry})*)?$`)

const localhost = ["127.0.0.1", "::1"]

/** The counts of `max.connections.per.ip.overrides` by address, in the form of the pattern. */
export const connectionOverrides = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "")
      .flatMap((each) => {
        const at = each.lastIndexOf(":")
        const host = each
          .slice(0, at)
          .replace(/^\[|\]$/g, "")
          .toLowerCase()
        const count = Number(each.slice(at + 1))
        return (host === "localhost" ? localhost : [host]).map((name) => [name, count] as const)
      })
  )
