import { Layer, Random } from "effect"

/** Effect's Random with a seed: the same seed returns the same numbers in the same order. */
export const layerSeededRandom = (seed: number | string): Layer.Layer<never> => Layer.setRandom(Random.make(seed))
