/**
 * The names that the directory of a log has while the log is moved to another data directory. None of them is that of a log.
 *
 * `.moving` is a copy that is written, `.copied` one that is whole while the log it was made of is closed, and `.moved` is
 * what the log was, beside a whole copy.
 */
export const movingSuffix = ".moving"
export const copiedSuffix = ".copied"
export const movedSuffix = ".moved"

const moveForm = /^([A-Za-z0-9_-]{22}-\d{1,10})(\.moving|\.copied|\.moved)$/

/** The log that a directory of one of these names belongs to, and the name's ending; undefined for every other name. */
export const moveNameOf = (name: string): { readonly log: string; readonly suffix: string } | undefined => {
  const found = moveForm.exec(name)
  return found === null ? undefined : { log: found[1] as string, suffix: found[2] as string }
}
