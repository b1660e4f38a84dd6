/** Edits (insert, delete, replace, swap neighbours) between two words; gives up over `most`. */
const distance = (a: string, b: string, most: number): number => {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let before: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? most + 1
}

/**
 * The known word that was most likely meant, within a third of its letters or `most` edits; undefined if none is near.
 * Words over 200 characters have no neighbour.
 */
export const nearest = (word: string, known: Iterable<string>, most = Math.max(2, Math.floor(word.length / 3))): string | undefined => {
  if (word.length > 200) return undefined
  let best: string | undefined
  let least = most + 1
  for (const candidate of known) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase(), least)
    if (edits < least) [best, least] = [candidate, edits]
  }
  return best
}

/** "Did you mean 'x'?", or nothing. */
export const didYouMean = (word: string, known: Iterable<string>): string => {
  const found = nearest(word, known)
  return found === undefined ? "" : ` Did you mean '${found}'?`
}
