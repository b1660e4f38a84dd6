import type { Framer } from "./framer.ts"

/** A frame may take this long, and a second more for each `frameBytesPerSecond` that it announced. */
const frameSeconds = 30
const frameBytesPerSecond = 65_536

/** Since when a connection sends the request that it is sending. */
export class FrameClock {
  private since = 0
  private frameNumber = -1
  /** The request that was seen last, and since when, whether or not the connection is paused. */
  private seenNumber = -1
  private seenAt = 0

  /** How long the request that is being sent is under way, in the second `now`. */
  seconds({ count }: Pick<Framer, "count">, now: number): number {
    return this.seenNumber === count ? now - this.seenAt : 0
  }

  /** Why the request takes too long, at the second `now`; undefined where it does not. */
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
