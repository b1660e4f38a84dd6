/**
 * A line of a program with members of a group, its fields separated by tabs. Times are ms since 1970, of the machine's clock; MEMBER is a number.
 * - g TIME MEMBER PARTITION,…: the group assigned partitions. - v TIME MEMBER TEXT: the member gave partitions away, or lost them.
 * - r MEMBER PARTITION OFFSET: the member processed a record.
 * - c TIME MEMBER JOINS PARTITION:OFFSET,…: a commit succeeded. JOINS grows with each rebalance; -1 where the client does not tell.
 * - e TIME MEMBER TEXT: a commit failed with an error that the next commit may not have. - ? TEXT: a note. - ! TEXT: an error that no fault excuses.
 */
export type MemberLine =
  | { readonly kind: "assigned"; readonly member: number; readonly text: string }
  | { readonly kind: "revoked"; readonly member: number; readonly text: string }
  | { readonly kind: "processed"; readonly member: number; readonly partition: number; readonly offset: number }
  | {
      readonly kind: "committed"
      readonly atMs: number
      readonly member: number
      readonly joins: number
      /** The next offset of each partition. */
      readonly offsets: ReadonlyMap<number, number>
    }
  | { readonly kind: "refused"; readonly member: number; readonly text: string }
  | { readonly kind: "note" | "complaint"; readonly text: string }

const offsetsOf = (text: string): ReadonlyMap<number, number> =>
  new Map(
    text.split(",").map((each) => {
      const [partition = "", offset = ""] = each.split(":")
      return [Number(partition), Number(offset)]
    })
  )

/** What a line says. Undefined for a line of another form. */
export const parseMemberLine = (line: string): MemberLine | undefined => {
  const [kind = "", ...fields] = line.split("\t")
  const [first = "", second = "", third = "", fourth = ""] = fields
  switch (kind) {
    case "g":
      return fields.length === 3 ? { kind: "assigned", member: Number(second), text: third } : undefined
    case "v":
    case "e":
      return fields.length >= 3 ? { kind: kind === "v" ? "revoked" : "refused", member: Number(second), text: fields.slice(2).join(" ") } : undefined
    case "r":
      return fields.length === 3 ? { kind: "processed", member: Number(first), partition: Number(second), offset: Number(third) } : undefined
    case "c":
      if (fields.length !== 4 || fourth === "") return undefined
      return { kind: "committed", atMs: Number(first), member: Number(second), joins: Number(third), offsets: offsetsOf(fourth) }
    case "?":
    case "!":
      return { kind: kind === "?" ? "note" : "complaint", text: fields.join(" ") }
    default:
      return undefined
  }
}
