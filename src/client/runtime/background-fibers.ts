import { Context, Effect, FiberSet, Layer } from "effect"

/** Starts fibers from plain code. They end with the scope of the layer. */
export class BackgroundFibers extends Context.Tag("comanche-franz/client/BackgroundFibers")<
  BackgroundFibers,
  {
    /** Starts the fiber at once: what it does before it first waits has happened when `run` returns. */
    readonly run: (effect: Effect.Effect<void>) => void
  }
>() {
  static readonly layer: Layer.Layer<BackgroundFibers> = Layer.scoped(
    BackgroundFibers,
    Effect.map(FiberSet.makeRuntime<never>(), (run) => ({
      // Interruptible also where the layer is built in an uninterruptible region: the end of the scope interrupts the
      // fibers.
      run: (effect) => void run(Effect.interruptible(effect))
    }))
  )
}
