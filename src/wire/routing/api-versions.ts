import { errorCode } from "../../../domain/kernel/error-code.ts"
import { responseFrame } from "../../protocol/codec/frame.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import { type Route, route } from "../route.ts"
import type { ClientSoftware } from "../session.ts"

/** The cluster id and node id of this node, for clients that name the node they expect (KIP-1242). Undefined until the node knows them. */
export interface Identity {
  readonly clusterId: string | undefined
  readonly nodeId: number
}

/** As Kafka checks a client's software name and version (KIP-511). */
const softwareText = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** Client libraries that all their connections share. */
const softwareMax = 100

/** The software of clients: few libraries make thousands of connections, so equal ones share an object. */
class SoftwareTable {
  private readonly byName = new Map<string, ClientSoftware>()

  of(name: string, version: string): ClientSoftware {
    const key = `${name}/${version}`
    const known = this.byName.get(key)
    if (known !== undefined) return known
    const one = { name, version }
    if (this.byName.size < softwareMax) this.byName.set(key, one)
    return one
  }
}

/** The ApiVersions responses of this node: the versions that its routes serve. */
export const apiVersionsRoute = (routes: ReadonlyArray<Route>, identity: () => Identity | undefined): Route => {
  const listed = routes
    .filter(({ access }) => access.audience !== "brokers")
    .map(({ api, versions, advertisedMin }) => ({ apiKey: api.key, minVersion: advertisedMin, maxVersion: versions[1] }))
  const own = { apiKey: ApiVersions.key, minVersion: ApiVersions.versions[0], maxVersion: ApiVersions.latestStable }
  const software = new SoftwareTable()
  const apiKeys = [...listed, own].sort((a, b) => a.apiKey - b.apiKey)
  return route(ApiVersions, {}, (request, { session, version }) => {
    if (version >= 3 && !(softwareText.test(request.clientSoftwareName) && softwareText.test(request.clientSoftwareVersion))) {
      return { errorCode: errorCode("INVALID_REQUEST"), apiKeys: [] }
    }
    if (version >= 3) session.software = software.of(request.clientSoftwareName, request.clientSoftwareVersion)
    const me = identity()
    const stranger = me !== undefined && request.clusterId !== null && me.clusterId !== undefined && request.clusterId !== me.clusterId
    const moved = me !== undefined && request.nodeId >= 0 && request.nodeId !== me.nodeId
    if (stranger || moved) return { errorCode: errorCode("REBOOTSTRAP_REQUIRED"), apiKeys: [] }
    return { errorCode: errorCode("NONE"), apiKeys }
  })
}

/** The response to a version that we do not know: a body of version 0 that names the range of ApiVersions itself (KIP-511). */
export const unknownApiVersions = (apiVersions: Route, correlationId: number): ReadonlyArray<Uint8Array> =>
  responseFrame(ApiVersions, 0, correlationId, {
    errorCode: errorCode("UNSUPPORTED_VERSION"),
    apiKeys: [{ apiKey: ApiVersions.key, minVersion: apiVersions.versions[0], maxVersion: apiVersions.versions[1] }]
  })
