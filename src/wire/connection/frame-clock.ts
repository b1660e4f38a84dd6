import type { Framer } from "./framer.ts"

/** A frame may take this long, and a second more for each `frameBytesPerSecond` that it announced. */
const frameSeconds = 30
const frameBytesPerSecond = 65_536

/** Measures how long a connection has been sending the request that is incomplete. */
export class FrameClock {
  private since = 0
  private frameNumber = -1
  /** The number of the last incomplete request, and the second in which it began, whether or not the connection is paused. */
  private seenNumber = -1
  private seenAt = 0

  /** Returns for how many seconds the client has been sending the request, at the second `now`. */
  seconds({ count }: Pick<Framer, "count">, now: number): number {
    return this.seenNumber === count ? now - this.seenAt : 0
  }

  /** Returns why the request takes too long, at the second `now`; undefined if it does not. */
  look({ announced, count }: Pick<Framer, "announced" | "count">, isPaused: boolean, now: number): string | undefined {
    if (this.seenNumber !== count) {
      this.seenNumber = count
      this.seenAt = now
    }
    if (announced === 0 || isPaused) this.frameNumber = -1
    else if (this.frameNumber !== count) {
      this.frameNumber = count
      this.since = now
    } else if (now - this.since > frameSeconds + announced / frameBytesPerSecond)
      return `took more than ${now - this.since} s to send a request of ${announced} bytes`
    return undefined
  }
}
