import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, type Scope } from "effect"
import { type Address, formatAddress, ListenFault } from "../../src/ports/transport.ts"
import { prometheusContentType } from "./prometheus-text.ts"

/** Where Prometheus looks unless it is told otherwise. */
const path = "/metrics"
/** Connections that are open at a time: a few scrapers, and a browser. */
const connectionsMax = 32
/** How long a connection may be idle, and a request may take until it is read, ms. */
const timeoutMs = 5000
const headerBytesMax = 8192

const application = (text: () => string) =>
  HttpRouter.empty.pipe(
    HttpRouter.all(
      path,
      Effect.map(HttpServerRequest.HttpServerRequest, ({ method }) =>
        method === "GET"
          ? HttpServerResponse.text(text(), { contentType: prometheusContentType })
          : HttpServerResponse.text("Only GET and HEAD are served here.\n", { status: 405 })
      )
    ),
    Effect.catchTag("RouteNotFound", () => HttpServerResponse.text(`Only ${path} is served here.\n`, { status: 404 }))
  )

/** Answers requests of node:http by the application. Bodies of requests are not read, and each connection has one request. */
const handle = (text: () => string) => {
  const respond = HttpApp.toWebHandler(application(text))
  return async ({ method = "GET", url = "/" }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isHead = method === "HEAD"
    try {
      const answer = await respond(new Request(new URL(url, "http://localhost"), { method: isHead ? "GET" : method }))
      const body = Buffer.from(await answer.arrayBuffer())
      const contentType = answer.headers.get("content-type") ?? "text/plain"
      response.writeHead(answer.status, { "content-type": contentType, "content-length": body.length, connection: "close" })
      response.end(isHead ? undefined : body)
    } catch {
      // The target is no URL, or the method is one that no resource has (TRACE).
      response.writeHead(400, { connection: "close" }).end()
    }
  }
}

const fault = (address: Address, cause: Error & { readonly code?: string }): ListenFault =>
  new ListenFault({
    address,
    code: cause.code ?? "UNKNOWN",
    message: `franz.metrics.listener: cannot listen on ${formatAddress(address)}: ${cause.message}. Stop the program that uses the port, or choose another address.`
  })

const listening = (server: Server, address: Address): Effect.Effect<Address, ListenFault> =>
  Effect.async((resume) => {
    server.once("error", (cause: Error) => resume(Effect.fail(fault(address, cause))))
    server.listen({ host: address.host === "" ? undefined : address.host, port: address.port }, () =>
      resume(Effect.succeed({ host: address.host, port: (server.address() as AddressInfo).port }))
    )
  })

/**
 * Bounds the connections and their time. Bun's node:http checks `maxConnections` and its timeouts late or not at all.
 */
const bounded = (server: Server): Server => {
  const open = new Set<Socket>()
  return server.on("connection", (socket: Socket) => {
    if (open.size >= connectionsMax) return void socket.destroy()
    open.add(socket)
    socket.once("close", () => open.delete(socket))
    socket.setTimeout(timeoutMs, () => socket.destroy())
  })
}

/**
 * Serves `GET /metrics` with what `text` returns, until the scope closes. Returns the address with the port that it
 * listens on.
 */
export const listenForScrapes = (address: Address, text: () => string): Effect.Effect<Address, ListenFault, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => bounded(createServer({ maxHeaderSize: headerBytesMax, headersTimeout: timeoutMs, requestTimeout: timeoutMs }, handle(text)))),
      (open) =>
        Effect.sync(() => {
          open.close()
          open.closeAllConnections()
        })
    )
    return yield* listening(server, address)
  })
