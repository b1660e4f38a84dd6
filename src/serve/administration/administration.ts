import type { Cluster } from "../../../domain/cluster/state.ts"
import type { Route } from "../../wire/route.ts"
import { describeTopicPartitions } from "../cluster/describe-topic-partitions.ts"
import { updateFeatures } from "../cluster/features.ts"
import { clientQuotaRoutes } from "../configs/client-quotas.ts"
import { listConfigResources } from "../configs/list-config-resources.ts"
import { aclRoutes } from "./acls.ts"
import { delegationTokenRoutes } from "./delegation-tokens.ts"
import { raftVoterRoutes } from "./raft-voters.ts"
import { saslRoutes } from "./sasl.ts"
import { scramCredentialRoutes } from "./scram-credentials.ts"
import { transactionRoutes } from "./transactions.ts"

/** Routes of admin requests that leader and broker handle alike, from the image. */
export const administrationRoutes = (image: () => Cluster): ReadonlyArray<Route> => [
  ...saslRoutes,
  ...aclRoutes,
  ...delegationTokenRoutes,
  ...clientQuotaRoutes,
  ...scramCredentialRoutes,
  updateFeatures,
  ...transactionRoutes,
  describeTopicPartitions(image),
  listConfigResources(image),
  ...raftVoterRoutes(image)
]
