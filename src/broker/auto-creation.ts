import { Context, Effect } from "effect"
import { topicByName } from "../../domain/cluster/state.ts"
import { requestFrame } from "../protocol/codec/frame.ts"
import { joined } from "../protocol/codec/joined.ts"
import { CreateTopics } from "../protocol/message/19-create-topics.ts"
import type { RequestContext } from "../wire/route.ts"
import { awaitImage, Image } from "./image/image.ts"
import { Relay } from "./relay.ts"

const version = CreateTopics.latestStable
const leaderMs = 5000
/**
 * After the leader has created a topic, the broker waits this long for its events, which spares the client a second
 * Metadata request.
 */
const imageMs = 1000
const lengthPrefixBytes = 4

/** Creates the topics that clients ask Metadata for. */
export class AutoCreation extends Context.Tag("comanche-franz/broker/AutoCreation")<
  AutoCreation,
  {
    /**
     * Asks the leader to create topics with the cluster's defaults, with the principal of the client. Ignores errors:
     * Metadata answers from the image, and a client whose topic is not in it yet repeats the request.
     */
    readonly create: (names: ReadonlyArray<string>, context: RequestContext) => Effect.Effect<void>
  }
>() {
  static readonly make: Effect.Effect<AutoCreation["Type"], never, Relay | Image> = Effect.gen(function* () {
    const relay = yield* Relay
    const image = yield* Image
    const create = (names: ReadonlyArray<string>, { actor, clientHost, header }: RequestContext): Effect.Effect<void> => {
      const topics = names.map((name) => ({ name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }))
      const head = { correlationId: header.correlationId, clientId: header.clientId }
      const frame = joined(requestFrame(CreateTopics, version, head, { topics, timeoutMs: leaderMs })).subarray(lengthPrefixBytes)
      const arrived = awaitImage(image, (cluster) => names.every((name) => topicByName(cluster, name) !== undefined))
      return relay.forward(CreateTopics, { actor, clientHost, frame, version }, leaderMs).pipe(
        Effect.flatMap(({ topics: created }) =>
          created.some(({ errorCode }) => errorCode === 0) ? Effect.timeoutOption(arrived, `${imageMs} millis`) : Effect.void
        ),
        Effect.ignore
      )
    }
    return { create }
  })
}
