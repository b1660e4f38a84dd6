import { Layer, Random } from "effect"

/** Effect's Random with a seed: the same seed gives the same numbers, in the order in which they are asked for. */
export const layerSeededRandom = (seed: number | string): Layer.Layer<never> => Layer.setRandom(Random.make(seed))
