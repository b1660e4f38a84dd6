import { Clock, Duration, Effect, Layer, type TestClock } from "effect"
import { Stuck, VirtualClock } from "../../adapters/clock/virtual-clock.ts"

/** So much virtual time passes by itself before the process gets a pause of a millisecond, for what the clock cannot see: files and sockets of the test. */
const pauseEveryMs = 10_000

const pause = (): Promise<void> => Effect.runPromise(Effect.sleep(1))

/**
 * Virtual time for a test: it passes by itself while nothing can run, and `TestClock.adjust` lets it pass at once. It is
 * Effect's TestClock for every fiber under `layer`.
 */
class VirtualTime implements TestClock.TestClock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly clock = new VirtualClock()
  private readonly adjustments: Array<{ readonly ms: number; readonly resume: () => void }> = []
  private isOver = false
  /** Runs from the layer's start until its scope closes. */
  readonly layer: Layer.Layer<never> = Layer.scopedDiscard(
    Effect.acquireRelease(
      Effect.sync(() => void this.run()),
      () => Effect.sync(() => void (this.isOver = true))
    )
  ).pipe(Layer.provideMerge(Layer.setClock<Clock.Clock>(this)), Layer.provideMerge(this.clock.layer))
  readonly currentTimeMillis: Effect.Effect<number> = this.clock.currentTimeMillis
  readonly currentTimeNanos: Effect.Effect<bigint> = this.clock.currentTimeNanos
  readonly save: Effect.Effect<Effect.Effect<void>> = Effect.dieMessage("TestClock.save: the virtual time of a cluster cannot go back.")
  readonly sleeps: TestClock.TestClock["sleeps"] = Effect.dieMessage("TestClock.sleeps: the sleeps of a virtual cluster are those of its nodes too.")

  unsafeCurrentTimeMillis(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }
  unsafeCurrentTimeNanos(): bigint {
    return this.clock.unsafeCurrentTimeNanos()
  }
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.clock.sleep(duration)
  }
  /** Returns when everything is done that was due by then. */
  adjust(duration: Duration.DurationInput): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      this.adjustments.push({ ms: Duration.toMillis(duration), resume: () => resume(Effect.void) })
    })
  }
  adjustWith(duration: Duration.DurationInput) {
    return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.zipLeft(effect, this.adjust(duration), { concurrent: true })
  }
  setTime(time: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const ms = time - this.unsafeCurrentTimeMillis()
      return ms < 0 ? Effect.dieMessage(`TestClock.setTime: ${time} is ${-ms} ms ago, and the virtual time of a cluster cannot go back.`) : this.adjust(ms)
    })
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const pauseAt = this.unsafeCurrentTimeMillis() + pauseEveryMs
      const isDue = () => this.isOver || this.adjustments.length > 0 || this.unsafeCurrentTimeMillis() >= pauseAt
      await this.clock.until(isDue, Number.POSITIVE_INFINITY).catch((error: unknown) => {
        // No timer is left: what continues, if anything, is not under this clock.
        if (!(error instanceof Stuck)) throw error
      })
      const adjustment = this.adjustments.shift()
      if (adjustment === undefined) await pause()
      else {
        await this.clock.advance(adjustment.ms)
        adjustment.resume()
      }
    }
  }
}

/** A virtual time of its own for each time that the layer is built. */
export const layerVirtualTime: Layer.Layer<never> = Layer.suspend(() => new VirtualTime().layer)
