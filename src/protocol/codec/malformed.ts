/** What a reader throws inside the codec; the structs and arrays that it passes add where they were. It never leaves the codec: see `decode`. */
export class Malformed {
  /** Innermost first. */
  readonly path: Array<string> = []
  constructor(
    readonly position: number,
    readonly reason: string
  ) {}
}

/** `topics[3].partitions[0].records` from the segments, innermost first. */
export const pathText = (innermostFirst: ReadonlyArray<string>): string => {
  let text = ""
  for (let index = innermostFirst.length - 1; index >= 0; index--) {
    const segment = innermostFirst[index] ?? ""
    text += segment.startsWith("[") || text === "" ? segment : `.${segment}`
  }
  return text
}
