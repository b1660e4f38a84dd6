import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { Producer } from "comanche-franz"
import { Effect, Runtime, Schema } from "effect"
import { Order, orders } from "./orders.ts"

interface Response {
  readonly status: number
  readonly text: string
}

const bodyBytesMax = 64 * 1024

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw new Error(`an order has at most ${bodyBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

/** Stores an order. The answer comes when it is on the disks of all in-sync replicas. */
const accept = (body: string): Effect.Effect<Response, never, Producer> =>
  Effect.gen(function* () {
    const producer = yield* Producer
    const order = yield* Schema.decodeUnknown(Schema.parseJson(Order))(body)
    const { offset, partition } = yield* producer.send(orders, order.customer, order)
    return { status: 202, text: `stored as ${orders.name}-${partition}@${offset}\n` }
  }).pipe(
    Effect.catchTag("ParseError", ({ message }) => Effect.succeed({ status: 400, text: `${message}\n` })),
    Effect.catchAll(({ message }) => Effect.succeed({ status: 503, text: `${message}\n` }))
  )

/** Serves `POST /orders` until the scope closes. Returns the port. */
export const intake = (port: number) =>
  Effect.gen(function* () {
    const run = Runtime.runPromise(yield* Effect.runtime<Producer>())
    const server = createServer((request, response) => {
      const answered: Promise<Response> =
        request.method === "POST" && request.url === "/orders"
          ? bodyOf(request).then(
              (body) => run(accept(body)),
              (error: Error) => ({ status: 413, text: `${error.message}\n` })
            )
          : Promise.resolve({ status: 404, text: "POST /orders\n" })
      void answered.then(
        ({ status, text }) => response.writeHead(status).end(text),
        () => response.writeHead(500).end()
      )
    })
    yield* Effect.acquireRelease(
      Effect.async<void, Error>((resume) => {
        server.once("error", (error) => resume(Effect.fail(error)))
        server.listen(port, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return (server.address() as AddressInfo).port
  })
