import { errorCode } from "../../../domain/kernel/error-code.ts"
import { UpdateFeatures } from "../../protocol/message/57-update-features.ts"
import { type Route, route } from "../../wire/route.ts"

/** Characters of a client's text that a response repeats at most. */
const nameCharactersMax = 60

/**
 * UpdateFeatures 0-2 (KIP-584). The cluster has no feature whose level could change (docs/decisions/0036): every update is INVALID_UPDATE_VERSION, and nothing is changed.
 * As in Kafka one wrong update refuses the whole request.
 */
export const updateFeatures: Route = route(UpdateFeatures, {}, ({ featureUpdates }) => {
  const [first] = featureUpdates
  if (first === undefined) return { errorCode: 0, errorMessage: null }
  const errorMessage = `Invalid update version ${first.maxVersionLevel} for feature '${first.feature.slice(0, nameCharactersMax)}'. This cluster has no features to upgrade or downgrade.`
  return { errorCode: errorCode("INVALID_UPDATE_VERSION"), errorMessage }
})
