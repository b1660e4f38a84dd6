import { configuredNames } from "../../../domain/cluster/config/resource.ts"
import { type Cluster, liveBrokers, sortedTopics } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { ListConfigResources } from "../../protocol/message/74-list-config-resources.ts"
import type { ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { Sliced, type Steps, Stride } from "../../wire/sliced.ts"

type Response = ResponseDraft<typeof ListConfigResources>

/** The names of the resources of each type, by Kafka's numbers. Topics and nodes are listed whether they have dynamic settings or not. */
const names: ReadonlyMap<number, (cluster: Cluster) => ReadonlyArray<string>> = new Map([
  [2, (cluster) => sortedTopics(cluster).map(({ name }) => name)],
  [4, (cluster) => liveBrokers(cluster).map(({ id }) => String(id))],
  [8, (cluster) => liveBrokers(cluster).map(({ id }) => String(id))],
  [16, (cluster) => configuredNames(cluster, "client-metrics")],
  [32, (cluster) => configuredNames(cluster, "group")]
])
const clientMetrics = 16
/** The first version with other types than client metrics (KIP-1142). */
const kindsSince = 1

/** ListConfigResources 0-1: the names of resources with settings. UNSUPPORTED_VERSION, as in Kafka, for an unknown type. */
export const listConfigResources = (image: () => Cluster): Route =>
  route(ListConfigResources, {}, ({ resourceTypes }, { version }) => {
    const asked = version < kindsSince ? [clientMetrics] : resourceTypes.length === 0 ? [...names.keys()] : [...new Set(resourceTypes)]
    if (!asked.every((kind) => names.has(kind))) return { errorCode: errorCode("UNSUPPORTED_VERSION"), configResources: [] }
    return new Sliced(function* (): Steps<Response> {
      const cluster = image()
      const configResources: Array<Response["configResources"][number]> = []
      const stride = new Stride()
      for (const resourceType of asked)
        for (const resourceName of names.get(resourceType)?.(cluster) ?? []) {
          configResources.push({ resourceName, resourceType })
          if (stride.takes()) yield
        }
      return { errorCode: 0, configResources }
    })
  })
