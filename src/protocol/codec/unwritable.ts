/** What a writer throws inside the codec; the structs and arrays that it passes add where they were. It never leaves the codec: see `encode`. */
export class Unwritable {
  /** Innermost first. */
  readonly path: Array<string> = []
  constructor(readonly reason: string) {}
}

export const unwritable = (reason: string): never => {
  throw new Unwritable(reason)
}
