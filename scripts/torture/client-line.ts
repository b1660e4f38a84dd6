/**
 * A line of a client program, its fields separated by tabs. Times are ms since 1970, of the machine's clock.
 * - s TIME PARTITION VALUE: a message is given to the producer.
 * - a TIME PARTITION OFFSET VALUE: it is acknowledged. OFFSET is -1 where the client was not told it.
 * - u TIME VALUE TEXT: its outcome is unknown. - f TIME VALUE TEXT: it was not stored, and will not be.
 * - r PARTITION OFFSET VALUE: the reader was given a record.
 * - d: every message has its outcome. - ? TEXT: a note. - ! TEXT: an error that no fault excuses.
 */
export type ClientLine =
  | { readonly kind: "sent"; readonly atMs: number; readonly partition: number; readonly value: string }
  | { readonly kind: "acknowledged"; readonly atMs: number; readonly partition: number; readonly offset: number; readonly value: string }
  | { readonly kind: "unknown" | "failed"; readonly atMs: number; readonly value: string; readonly text: string }
  | { readonly kind: "read"; readonly partition: number; readonly offset: number; readonly value: string }
  | { readonly kind: "flushed" }
  | { readonly kind: "note" | "complaint"; readonly text: string }

/** What a line says. Undefined for a line of another form. */
export const parseClientLine = (line: string): ClientLine | undefined => {
  const [kind = "", ...fields] = line.split("\t")
  const [first = "", second = "", third = "", fourth = ""] = fields
  switch (kind) {
    case "s":
      return fields.length === 3 ? { kind: "sent", atMs: Number(first), partition: Number(second), value: third } : undefined
    case "a":
      return fields.length === 4 ? { kind: "acknowledged", atMs: Number(first), partition: Number(second), offset: Number(third), value: fourth } : undefined
    case "u":
    case "f":
      return fields.length >= 3 ? { kind: kind === "u" ? "unknown" : "failed", atMs: Number(first), value: second, text: fields.slice(2).join(" ") } : undefined
    case "r":
      return fields.length === 3 ? { kind: "read", partition: Number(first), offset: Number(second), value: third } : undefined
    case "d":
      return fields.length === 0 ? { kind: "flushed" } : undefined
    case "?":
    case "!":
      return { kind: kind === "?" ? "note" : "complaint", text: fields.join(" ") }
    default:
      return undefined
  }
}
