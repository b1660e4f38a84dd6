import { Either } from "effect"
import type { DecodeError } from "../../protocol/codec/decode-error.ts"
import { decodeRequestHeader, type RequestHeader } from "../../protocol/codec/frame.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import { apiByKey } from "../../protocol/message/registry.ts"
import type { Route } from "../route.ts"
import { apiVersionsRoute, type Identity, unknownApiVersions } from "./api-versions.ts"

/** A request whose route is found; its body is not read yet. */
export interface Routed {
  readonly header: RequestHeader
  readonly bodyAt: number
  readonly route: Route
}
/** A response that needs no route, length prefix first. */
export interface Ready {
  readonly chunks: ReadonlyArray<Uint8Array>
}
interface Unrouted {
  readonly kind: "malformed" | "unknownApi" | "unsupportedVersion"
  readonly message: string
}

export const malformedMessage = (api: string, error: DecodeError): string =>
  `sent ${error.kind === "elements" ? `too large a request, ${api}` : `a malformed ${api}`}: ${error.field === "" ? "" : `field ${error.field}, `}byte ${error.position}: ${error.reason}`

/** The routes of a node by API key, with ApiVersions among them. */
export class RouteTable {
  private readonly byKey: Array<Route | undefined> = []
  private readonly apiVersions: Route

  constructor(routes: ReadonlyArray<Route>, identity: () => Identity | undefined = () => undefined) {
    for (const route of routes) this.byKey[route.api.key] = route
    this.apiVersions = apiVersionsRoute(
      this.byKey.filter((route) => route !== undefined && route.api.key !== ApiVersions.key) as ReadonlyArray<Route>,
      identity
    )
    this.byKey[ApiVersions.key] = this.apiVersions
  }

  find(frame: Uint8Array): Routed | Ready | Unrouted {
    // The header's form follows from the version, so an unknown version is recognized before the header is read.
    const future = this.unknownApiVersions(frame)
    if (future !== undefined) return future
    const read = decodeRequestHeader(frame)
    if (Either.isLeft(read)) return { kind: "malformed", message: malformedMessage("request", read.left) }
    const { header, bodyAt } = read.right
    const route = this.byKey[header.apiKey]
    if (route === undefined) return { kind: "unknownApi", message: this.unknown(header.apiKey) }
    const [first, last] = route.versions
    if (header.apiVersion >= first && header.apiVersion <= last) return { header, bodyAt, route }
    return { kind: "unsupportedVersion", message: `sent ${route.api.name} version ${header.apiVersion}; versions ${first} to ${last} are served` }
  }

  private unknownApiVersions(frame: Uint8Array): Ready | undefined {
    if (frame.length < 8 || frame[0] !== 0 || frame[1] !== ApiVersions.key) return undefined
    const view = new DataView(frame.buffer, frame.byteOffset, 8)
    const version = view.getInt16(2)
    if (version >= this.apiVersions.versions[0] && version <= this.apiVersions.versions[1]) return undefined
    return { chunks: unknownApiVersions(this.apiVersions, view.getInt32(4)) }
  }
  private unknown(key: number): string {
    const api = apiByKey(key)
    return api === undefined ? `sent API key ${key}, which does not exist` : `sent ${api.name} (API key ${key}), which this node does not serve`
  }
}
