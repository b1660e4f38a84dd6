/** `topics[3].partitions[0].records` from the segments, innermost first, with `within` before them. */
export const pathText = (innermostFirst: ReadonlyArray<string>, within = ""): string => {
  let text = within
  for (let index = innermostFirst.length - 1; index >= 0; index--) {
    const segment = innermostFirst[index] ?? ""
    text += segment.startsWith("[") || text === "" ? segment : `.${segment}`
  }
  return text
}
