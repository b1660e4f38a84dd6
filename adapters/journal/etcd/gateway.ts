import { Buffer } from "node:buffer"
import { Duration, Effect, Either, Option, Stream } from "effect"
import {
  type EtcdClient,
  type EtcdFault,
  type EtcdStatus,
  type KeyRange,
  type KeyValue,
  type Operation,
  type RangeRequest,
  type Txn,
  type TxnResult
} from "./client.ts"
import { refusalOf, silenceFault, transportFault } from "./gateway-fault.ts"

interface GatewayOptions {
  /** The addresses of etcd's members, e.g. "http://h1:2379". */
  readonly endpoints: ReadonlyArray<string>
  readonly user?: { readonly name: string; readonly password: string } | undefined
  /** The certificates of the authorities that may sign etcd's, PEM; default: those of the system. */
  readonly authorities?: string | undefined
  /** The certificate of this client and its key, PEM, where etcd asks for one. */
  readonly identity?: { readonly certificate: string; readonly key: string } | undefined
  /** How long a call waits for its response, ms. Default 2000: a member that has lost the others answers after 7 s, which is longer than a lease. */
  readonly requestTimeoutMs?: number
}

const defaultRequestTimeoutMs = 2000
/** Bytes of a response: a read asks for a few mebibytes of values, which base64 makes larger. */
const responseBytesMax = 67_108_864

interface JsonKeyValue {
  readonly key: string
  readonly value?: string
  readonly mod_revision?: string
}
interface JsonRange {
  readonly kvs?: ReadonlyArray<JsonKeyValue>
}
interface JsonTxn {
  readonly header: { readonly revision: string }
  readonly succeeded?: boolean
  readonly responses?: ReadonlyArray<{ readonly response_range?: JsonRange }>
}

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64")
const base64OfBytes = ({ buffer, byteLength, byteOffset }: Uint8Array): string => Buffer.from(buffer, byteOffset, byteLength).toString("base64")

const rangeJson = ({ descending, end, key, keysOnly, limit }: RangeRequest) => ({
  key: base64(key),
  ...(end === undefined ? {} : { range_end: base64(end) }),
  ...(limit === undefined || limit === 0 ? {} : { limit: String(limit) }),
  ...(keysOnly === true ? { keys_only: true } : {}),
  ...(descending === true ? { sort_order: "DESCEND", sort_target: "KEY" } : {})
})
const operationJson = (operation: Operation) => {
  if ("range" in operation) return { request_range: rangeJson(operation.range) }
  if ("remove" in operation) return { request_delete_range: rangeJson(operation.remove) }
  const { lease, put, value } = operation
  return { request_put: { key: base64(put), value: base64OfBytes(value), ...(lease === undefined ? {} : { lease }) } }
}
const keyValues = ({ kvs = [] }: JsonRange): ReadonlyArray<KeyValue> =>
  kvs.map(({ key, mod_revision = "0", value = "" }) => ({
    key: Buffer.from(key, "base64").toString("utf8"),
    value: new Uint8Array(Buffer.from(value, "base64")),
    modRevision: Number(mod_revision)
  }))

/** Reads a response to its end, within the bound. */
const bodyOf = async (response: Response): Promise<string> => {
  const declared = Number(response.headers.get("content-length") ?? 0)
  if (declared > responseBytesMax) throw new Error(`the response has ${declared} bytes, more than ${responseBytesMax}`)
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > responseBytesMax) throw new Error(`the response has more than ${responseBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

/** The options of `fetch` for own authorities and an own certificate: each runtime has its own. */
const tlsOptions = ({ authorities, identity }: GatewayOptions): object => {
  if (authorities === undefined && identity === undefined) return {}
  const deno = (globalThis as { readonly Deno?: { createHttpClient(options: object): unknown } }).Deno
  const own = identity === undefined ? {} : { cert: identity.certificate, key: identity.key }
  if (deno !== undefined) return { client: deno.createHttpClient({ ...(authorities === undefined ? {} : { caCerts: [authorities] }), ...own }) }
  return { tls: { ...(authorities === undefined ? {} : { ca: authorities }), ...own } }
}

/**
 * etcd by its JSON gateway. A call goes to one member at a time, and to the next one only where the first refused the connection: no
 * request is sent again that etcd may have seen.
 */
class Gateway implements EtcdClient {
  readonly where: string
  private at = 0
  private token: string | undefined
  private readonly tls: object
  private readonly requestTimeoutMs: number

  constructor(private readonly options: GatewayOptions) {
    this.requestTimeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs
    this.where = `etcd at ${options.endpoints.join(", ")}`
    this.tls = tlsOptions(options)
  }

  readonly txn = ({ compares, otherwise = [], then }: Txn): Effect.Effect<TxnResult, EtcdFault> => {
    const body = {
      compare: compares.map(({ key, modRevision }) => ({ key: base64(key), target: "MOD", result: "EQUAL", mod_revision: String(modRevision) })),
      success: then.map(operationJson),
      failure: otherwise.map(operationJson)
    }
    return Effect.map(this.call<JsonTxn>("kv/txn", body), ({ header, responses = [], succeeded = false }) => ({
      succeeded,
      revision: Number(header.revision),
      ranges: responses.flatMap(({ response_range }) => (response_range === undefined ? [] : [keyValues(response_range)]))
    }))
  }
  readonly range = (request: RangeRequest) => Effect.map(this.call<JsonRange>("kv/range", rangeJson(request)), keyValues)
  readonly grant = (seconds: number) => Effect.map(this.call<{ readonly ID: string }>("lease/grant", { TTL: String(seconds) }), ({ ID }) => ID)
  readonly renew = (lease: string) =>
    Effect.map(this.call<{ readonly result?: { readonly TTL?: string } }>("lease/keepalive", { ID: lease }), ({ result }) => Number(result?.TTL ?? 0) > 0)
  readonly revoke = (lease: string) => Effect.asVoid(this.call("lease/revoke", { ID: lease }))

  get status(): Effect.Effect<EtcdStatus, EtcdFault> {
    return Effect.gen(this, function* () {
      type Status = {
        readonly version: string
        readonly dbSize?: string
        readonly header: { readonly revision?: string }
        readonly leader?: string
        readonly errors?: ReadonlyArray<string>
      }
      // Not every user may ask for the status. The version needs no permission.
      const unasked = Effect.map(this.version, (version): Status => ({ version, header: {}, leader: "unknown" }))
      const asked = this.call<Status>("maintenance/status", {})
      const {
        dbSize = "0",
        errors = [],
        header,
        leader = "0",
        version
      } = yield* Effect.catchIf(
        asked,
        ({ kind }) => kind === "denied",
        (fault) => Effect.mapError(unasked, () => fault)
      )
      const metrics = yield* Effect.option(this.get("metrics"))
      const quota = /^etcd_server_quota_backend_bytes (\S+)$/m.exec(Option.getOrElse(metrics, () => ""))?.[1]
      return {
        version,
        storeBytes: Number(dbSize),
        quotaBytes: quota === undefined ? undefined : Number(quota),
        revision: Number(header.revision ?? 0),
        hasLeader: leader !== "0",
        isFull: errors.some((error) => error.includes("NOSPACE"))
      }
    })
  }

  readonly watch = (range: KeyRange): Stream.Stream<void, EtcdFault> =>
    Stream.unwrapScoped(
      Effect.gen(this, function* () {
        const abort = yield* Effect.acquireRelease(
          Effect.sync(() => new AbortController()),
          (controller) => Effect.sync(() => controller.abort())
        )
        const headers = { ...(yield* this.headers), "Grpc-Metadata-hasleader": "true" }
        const body = JSON.stringify({ create_request: rangeJson(range) })
        const endpoint = this.endpoint
        const response = yield* Effect.tryPromise({
          try: () => fetch(`${endpoint}/v3/watch`, { method: "POST", headers, body, signal: abort.signal, ...this.tls }),
          catch: (cause) => transportFault(endpoint, cause)
        })
        if (!response.ok || response.body === null) {
          const refused = yield* Effect.either(this.answered(endpoint, response.status, yield* this.text(endpoint, response)))
          return yield* Either.isLeft(refused) ? refused.left : transportFault(endpoint, "a watch without a stream")
        }
        // Each piece is a hint, whatever is in it: the stream's keys are read anyway.
        const reader = response.body.getReader()
        const piece = Effect.tryPromise({ try: () => reader.read(), catch: (cause) => Option.some(transportFault(endpoint, cause)) })
        return Stream.repeatEffectOption(Effect.flatMap(piece, ({ done }) => (done ? Effect.fail(Option.none<EtcdFault>()) : Effect.void)))
      })
    )

  /** The version, also of an etcd that does not know /v3. */
  private get version(): Effect.Effect<string, EtcdFault> {
    return Effect.flatMap(this.get("version"), (text) => {
      const found = Either.try(() => (JSON.parse(text) as { readonly etcdserver?: string }).etcdserver)
      return Either.isRight(found) && found.right !== undefined ? Effect.succeed(found.right) : Effect.fail(refusalOf(this.endpoint, 404, text, undefined))
    })
  }

  private get endpoint(): string {
    return this.options.endpoints[this.at] as string
  }

  private get headers(): Effect.Effect<Record<string, string>, EtcdFault> {
    return Effect.suspend(() => {
      if (this.options.user === undefined) return Effect.succeed({})
      if (this.token !== undefined) return Effect.succeed({ Authorization: this.token })
      return Effect.map(this.send("auth/authenticate", { name: this.options.user.name, password: this.options.user.password }, {}), (answer) => {
        this.token = (answer as { readonly token: string }).token
        return { Authorization: this.token }
      })
    })
  }

  private call<A>(path: string, body: object): Effect.Effect<A, EtcdFault> {
    const sent = Effect.flatMap(this.headers, (headers) => {
      const once = this.send(path, body, headers)
      const used = headers["Authorization"]
      if (used === undefined) return once
      // A token that etcd does not know any more is refused before anything is done. Other calls may have had the same one.
      const again = Effect.suspend(() => {
        if (this.token === used) this.token = undefined
        return Effect.flatMap(this.headers, (renewed) => this.send(path, body, renewed))
      })
      return Effect.catchIf(
        once,
        ({ kind }) => kind === "denied",
        () => again
      )
    })
    return sent as Effect.Effect<A, EtcdFault>
  }

  /**
   * Sends a request to one member, and to the next where no connection came about, until each had its turn. Calls at the
   * same time share where the next one begins, and not which members one of them has tried.
   */
  private send(path: string, body: object, headers: Record<string, string>): Effect.Effect<unknown, EtcdFault> {
    const text = JSON.stringify(body)
    const { endpoints } = this.options
    const attempt = (at: number, left: number): Effect.Effect<unknown, EtcdFault> =>
      Effect.catchAll(this.post(endpoints[at] as string, path, text, headers), (fault) => {
        const next = (at + 1) % endpoints.length
        if ((fault.kind === "unsent" || fault.kind === "unknown") && this.at === at) this.at = next
        return fault.kind === "unsent" && left > 1 ? attempt(next, left - 1) : Effect.fail(fault)
      })
    return Effect.suspend(() => attempt(this.at, endpoints.length))
  }

  private post(endpoint: string, path: string, body: string, headers: Record<string, string>): Effect.Effect<unknown, EtcdFault> {
    return Effect.suspend(() => {
      const sent = Effect.tryPromise({
        try: async (signal) => {
          const response = await fetch(`${endpoint}/v3/${path}`, { method: "POST", headers, body, signal, ...this.tls })
          return { status: response.status, text: await bodyOf(response) }
        },
        catch: (cause) => transportFault(endpoint, cause)
      })
      return sent.pipe(
        Effect.timeoutFail({
          duration: Duration.millis(this.requestTimeoutMs),
          onTimeout: () => silenceFault(endpoint, this.requestTimeoutMs)
        }),
        Effect.flatMap(({ status, text }) => this.answered(endpoint, status, text))
      )
    })
  }

  private get(path: string): Effect.Effect<string, EtcdFault> {
    const endpoint = this.endpoint
    return Effect.tryPromise({
      try: async (signal) => bodyOf(await fetch(`${endpoint}/${path}`, { signal, ...this.tls })),
      catch: (cause) => transportFault(endpoint, cause)
    }).pipe(
      Effect.timeoutFail({
        duration: Duration.millis(this.requestTimeoutMs),
        onTimeout: () => silenceFault(endpoint, this.requestTimeoutMs)
      })
    )
  }

  private text(endpoint: string, response: Response): Effect.Effect<string, EtcdFault> {
    return Effect.tryPromise({ try: () => bodyOf(response), catch: (cause) => transportFault(endpoint, cause) })
  }

  /** What a response says: the value, or why there is none. */
  private answered(endpoint: string, status: number, text: string): Either.Either<unknown, EtcdFault> {
    const json = Option.getOrUndefined(Either.getRight(Either.try((): unknown => JSON.parse(text.split("\n", 1)[0] as string))))
    return status === 200 && json !== undefined ? Either.right(json) : Either.left(refusalOf(endpoint, status, text, json))
  }
}

/** A client of etcd 3.4 or later. It needs no connection yet. */
export const gateway = (options: GatewayOptions): EtcdClient => new Gateway(options)
