/** Lines about single partitions that are written in one window of time. */
const linesMax = 10

/** What partitions have to say, in few lines: a full disk holds thousands of them, and each would say so, and again when it works. The rest is counted and told at the window's end. */
export class FewLines {
  private said = 0

  constructor(private readonly report: (line: string) => void) {}

  readonly say = (line: string): void => {
    if (this.said++ < linesMax) this.report(line)
  }

  /** The window ends. */
  turn(): void {
    const more = this.said - linesMax
    this.said = 0
    if (more > 0) this.report(`${more} more partitions had the like to say in the last seconds.`)
  }
}
