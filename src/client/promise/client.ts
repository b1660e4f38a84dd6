import { Cause, Effect, Exit, Layer, Logger, type LogLevel, ManagedRuntime, type Runtime, Scope } from "effect"
import type { AdminService } from "../admin/admin.ts"
import { shown } from "../argument/guard.ts"
import type { ConsumerOptions as EffectConsumerOptions } from "../consumer/options.ts"
import type { ConsumerService } from "../consumer/service.ts"
import { Closed, InvalidArgument } from "../error.ts"
import type { ConnectionOptions } from "../options.ts"
import type { ProducerOptions as EffectProducerOptions } from "../producer/options.ts"
import type { ProducerService } from "../producer/producer.ts"
import type { HeaderList } from "../topic/headers.ts"
import type { Topic } from "../topic/topic.ts"
import { type CallOptions, Calls, checkedSignal } from "./calls.ts"
import { type Consumer, consumerOf } from "./consumer.ts"
import { type ConnectOptions, type ConsumerOptions, connectionOf, type LogEntry, type ProducerOptions } from "./options.ts"
import { type Producer, producerOf } from "./producer.ts"
import { type Promised, promised } from "./promised.ts"
import { runWorker, type WorkerHandler, type WorkerOptions } from "./worker.ts"

/** Describes topics, groups and the cluster, and changes them. */
export interface Admin extends Promised<AdminService>, AsyncDisposable {
  /** The same admin, whose calls reject with `signal.reason` when the signal aborts. The cluster may do the change all the same. */
  readonly withSignal: (signal: AbortSignal) => Admin
  readonly close: () => Promise<void>
}

/** A cluster's client: it makes producers and consumers, and closes with all that it made. */
export interface Client extends AsyncDisposable {
  readonly admin: Admin
  /** Creates a topic; see `Admin.addTopic`. */
  readonly addTopic: Admin["addTopic"]
  /** Deletes a topic and all its messages. UnknownTopic if there is none. */
  readonly removeTopic: Admin["removeTopic"]
  readonly producer: (options?: ProducerOptions, call?: CallOptions) => Promise<Producer>
  readonly consumer: (options?: ConsumerOptions, call?: CallOptions) => Promise<Consumer>
  /**
   * Handles the messages of a typed topic as a member of a group, with a consumer and a producer of its own, until the
   * signal aborts or the client closes. At least once: a message is committed when its handler has succeeded, or when
   * it is stored in the dead letter topic: one that the schemas cannot decode, or whose last attempt failed. Each of
   * those has a line in the log. Rejects where the consumer cannot read, or a message cannot be put aside; the error
   * goes to `onError` as well.
   *
   *     await client.worker(orders, async ({ value }) => bill(value), { group: "billing", deadLetter: "orders.dead" })
   */
  readonly worker: <K, V, H = HeaderList>(topic: Topic<K, V, H>, handler: WorkerHandler<K, V, H>, options: WorkerOptions) => Promise<void>
  /**
   * Closes the consumers, then the producers, then the admin: a handler that has begun can still send. Calls after the
   * first wait for it.
   */
  readonly close: () => Promise<void>
}

/** Makes the services of the library, with their platform. */
interface Services {
  readonly admin: (options: ConnectionOptions) => Effect.Effect<AdminService, unknown, Scope.Scope>
  readonly producer: (options: EffectProducerOptions) => Effect.Effect<ProducerService, unknown, Scope.Scope>
  readonly consumer: (options: EffectConsumerOptions) => Effect.Effect<ConsumerService, unknown, Scope.Scope>
}

const textOf = (message: unknown): string => (Array.isArray(message) ? message : [message]).map(String).join(" ")
const levelOf = ({ _tag }: LogLevel.LogLevel): LogEntry["level"] => (_tag === "All" || _tag === "None" ? "info" : (_tag.toLowerCase() as LogEntry["level"]))
/** The caller's function must not end the fiber that logs. */
const safely = (call: () => void): void => {
  try {
    call()
  } catch {
    // There is nowhere to report the failure of the report.
  }
}
const errorLevel = 40_000

/** The log of a client: the caller's functions beside the console, or in its place. */
const logging = ({ log, onError }: Pick<ConnectOptions, "log" | "onError">): Layer.Layer<never> => {
  const errors = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    if (onError === undefined || logLevel.ordinal < errorLevel) return
    const error: unknown = Cause.isEmpty(cause) ? undefined : Cause.squash(cause)
    safely(() => onError(error instanceof Error ? error : new Error(error === undefined ? textOf(message) : String(error), { cause: error })))
  })
  const lines = Logger.make<unknown, void>(({ annotations, cause, logLevel, message }) => {
    const entry = { level: levelOf(logLevel), message: textOf(message), annotations: Object.fromEntries(annotations) }
    safely(() => log?.(Cause.isEmpty(cause) ? entry : { ...entry, error: Cause.squash(cause) }))
  })
  return Layer.merge(onError === undefined ? Layer.empty : Logger.add(errors), log === undefined ? Layer.empty : Logger.replace(Logger.defaultLogger, lines))
}

const checkFunctions = (options: ConnectOptions): void => {
  for (const field of ["log", "onError"] as const) {
    const given: unknown = options?.[field]
    if (given !== undefined && typeof given !== "function")
      throw new InvalidArgument({ call: "connect", field: `options.${field}`, given: shown(given), allowed: "a function" })
  }
}

/** A service with the calls of its facade. */
interface Opened<S> {
  readonly service: S
  readonly calls: Calls
}

/** Opens services, and closes them in the order of their kinds. */
class Opener {
  private readonly opened = { consumer: new Set<Calls>(), producer: new Set<Calls>(), admin: new Set<Calls>() }
  private readonly opening: Calls
  private isClosed = false

  constructor(private readonly runtime: Runtime.Runtime<never>) {
    this.opening = new Calls("client", runtime, Effect.runSync(Scope.make()))
  }

  async open<S>(kind: "consumer" | "producer" | "admin", make: () => Effect.Effect<S, unknown, Scope.Scope>, call: CallOptions): Promise<Opened<S>> {
    const signal = call.signal === undefined ? undefined : checkedSignal(kind, call.signal)
    const scope = Effect.runSync(Scope.make())
    const calls = new Calls(kind, this.runtime, scope)
    try {
      const service = await this.opening.call(Scope.extend(Effect.suspend(make), scope), signal)
      if (this.isClosed) throw new Closed({ what: "client" })
      this.opened[kind].add(calls)
      return { service, calls }
    } catch (error) {
      await calls.close(Exit.fail(error))
      throw error
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.opening.close()
    for (const kind of ["consumer", "producer", "admin"] as const)
      await Promise.all([...this.opened[kind]].map((calls) => calls.close(kind === "consumer" ? Exit.fail("closed") : Exit.void)))
  }
}

const adminOf = (service: AdminService, calls: Calls, signal?: AbortSignal): Admin => ({
  ...promised(service, calls, signal),
  withSignal: (other) => adminOf(service, calls, checkedSignal("Admin.withSignal", other)),
  close: () => calls.close(),
  [Symbol.asyncDispose]: () => calls.close()
})

/** Connects to a cluster. See `connect` of the package's entry. */
export const connectWith = async (services: Services, options: ConnectOptions, call: CallOptions = {}): Promise<Client> => {
  checkFunctions(options)
  const connection = connectionOf(options)
  const runtime = ManagedRuntime.make(logging(options ?? {}))
  const opener = new Opener(await runtime.runtime())
  const end = async () => {
    await opener.close()
    await runtime.dispose()
  }
  let closing: Promise<void> | undefined
  const close = () => (closing ??= end())
  const openProducer = (own: ProducerOptions | undefined, call: CallOptions) =>
    opener.open("producer", () => services.producer({ ...connection, ...own }), call)
  const openConsumer = (own: ConsumerOptions | undefined, call: CallOptions) =>
    opener.open("consumer", () => services.consumer({ ...connection, ...own }), call)
  try {
    const { calls, service } = await opener.open("admin", () => services.admin(connection), call)
    const admin = adminOf(service, calls)
    return {
      admin,
      addTopic: admin.addTopic,
      removeTopic: admin.removeTopic,
      producer: async (own, call = {}) => {
        const { calls, service } = await openProducer(own, call)
        return producerOf(service, calls)
      },
      consumer: async (own, call = {}) => {
        const { calls, service } = await openConsumer(own, call)
        return consumerOf(service, calls)
      },
      worker: (topic, handler, options) =>
        runWorker(topic, handler, options, async () => ({
          producer: await openProducer(options?.producer, {}),
          consumer: await openConsumer({ from: "earliest", ...options?.consumer }, {})
        })),
      close,
      [Symbol.asyncDispose]: close
    }
  } catch (error) {
    await close()
    throw error
  }
}
