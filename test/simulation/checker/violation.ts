/** An invariant that did not hold, with the words that lead to it. */
export interface Violation {
  /** Its name in the list of invariants, as "L1". */
  readonly invariant: string
  readonly message: string
}

/** So many of one kind are told; one mistake often breaks a hundred records. */
const toldMax = 5

/** Gathers violations of one invariant. */
export class Findings {
  private readonly messages: Array<string> = []

  constructor(private readonly invariant: string) {}

  add(message: string): void {
    this.messages.push(message)
  }
  get list(): ReadonlyArray<Violation> {
    const { invariant, messages } = this
    const more = messages.length - toldMax
    return [...messages.slice(0, toldMax), ...(more > 0 ? [`… and ${more} more`] : [])].map((message) => ({ invariant, message }))
  }
}
