import { Effect, Either } from "effect"
import { Metadata } from "../protocol/message/03-metadata.ts"
import { FindCoordinator } from "../protocol/message/10-find-coordinator.ts"
import { DescribeConfigs } from "../protocol/message/32-describe-configs.ts"
import { DescribeCluster } from "../protocol/message/60-describe-cluster.ts"
import { DescribeTopicPartitions } from "../protocol/message/75-describe-topic-partitions.ts"
import { disconnect, type Route } from "../wire/route.ts"
import type { Image } from "./image/image.ts"

/** What says which topics, brokers and coordinators there are. */
const describing: ReadonlySet<number> = new Set([Metadata, FindCoordinator, DescribeConfigs, DescribeCluster, DescribeTopicPartitions].map(({ key }) => key))

const held = ({ isShown, shown }: Pick<Image["Type"], "isShown" | "shown">, route: Route): Route => ({
  ...route,
  start: (context, bodyAt, elementsMax) => {
    if (isShown()) return route.start(context, bodyAt, elementsMax)
    const answer = Effect.map(shown, () =>
      Either.match(route.start(context, bodyAt, elementsMax), { onLeft: ({ message }) => disconnect(message), onRight: (started) => started.answer })
    )
    return Either.right({ answer, memoryBytes: 0, isLarge: false })
  }
})

/**
 * The routes of a broker whose image is not whole yet: those that describe the cluster wait until it is. A broker that starts folds the leader's
 * journal from the past on. A client that is told of that takes the brokers and topics that are not there yet for removed ones: librdkafka
 * closes its connections, and a send fails with _UNKNOWN_TOPIC. Kafka's brokers process no request before they have caught up.
 */
export const fromWholeImage = (image: Pick<Image["Type"], "isShown" | "shown">, routes: ReadonlyArray<Route>): ReadonlyArray<Route> =>
  routes.map((route) => (describing.has(route.api.key) ? held(image, route) : route))
