import { sliceNs } from "../sliced.ts"
import type { Turns } from "../slicing/turns.ts"

/** The clock is read once for so many steps (requests that are taken, answers that leave): a power of two. */
const stepsPerLook = 8

/** The small requests that one connection has worked on in one go: thousands of them, sent without waiting, must not hold the thread together either. */
export class Burst {
  /** The connection waits for a turn of the loop. */
  isResting = false
  private steps = 0
  private sinceNs = 0n

  constructor(
    private readonly turns: Turns,
    /** Called when the connection may go on. */
    private readonly goOn: () => void
  ) {}

  begin(): void {
    this.steps = 0
  }
  /** Whether one more step may be made; once it may not, the connection rests until a turn of the loop is over. */
  mayGoOn(): boolean {
    if ((++this.steps & (stepsPerLook - 1)) !== 0) return true
    const now = this.turns.nowNs()
    if (this.steps === stepsPerLook) this.sinceNs = now
    if (now - this.sinceNs < sliceNs) return true
    this.isResting = true
    this.turns.afterLoopTurn(() => {
      this.isResting = false
      this.goOn()
    })
    return false
  }
}
