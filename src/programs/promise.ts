import type { Diagnosis } from "../client/observability/diagnose.ts"
import { type CallOptions, callOnce } from "../client/promise/calls.ts"
import { type Client, connectWith } from "../client/promise/client.ts"
import { type ConnectOptions, connectionOf } from "../client/promise/options.ts"
import { Admin, Consumer, Producer, diagnose as platformDiagnose } from "./library.ts"

/**
 * The client library of Comanche Franz for programs without Effect: the same calls under the same names, as functions
 * that return promises. A call rejects with the library's error, an `Error` whose `_tag` names it.
 *
 *     await using client = await connect({ leader: "127.0.0.1:9092" })
 *     await client.addTopic("orders", { partitions: 6 })
 *     const producer = await client.producer()
 *     await producer.sendMessage("orders", "hello", { key: "customer-7" })
 *     const consumer = await client.consumer({ from: "earliest" })
 *     await consumer.joinConsumerGroup("billing")
 *     await consumer.subscribe("orders")
 *     for await (const record of consumer.records()) console.log(record.text)
 */
export const connect = (options: ConnectOptions, call?: CallOptions): Promise<Client> =>
  connectWith({ admin: Admin.make, producer: Producer.make, consumer: Consumer.make }, options, call)

/** Says in sentences what is wrong between this machine and a cluster. See `Diagnosis`. */
export const diagnose = (options: ConnectOptions, call?: CallOptions): Promise<Diagnosis> => callOnce("diagnose", platformDiagnose(connectionOf(options)), call)

export { ConsumedRecord } from "../client/consumer/fetch/record.ts"
export { originHeaders } from "../client/consumer/typed/dead-letter.ts"
export * from "../client/error.ts"
export type { CallbackContext, OnAssigned } from "../client/promise/callbacks.ts"
export type { CallOptions } from "../client/promise/calls.ts"
export type { Admin, Client } from "../client/promise/client.ts"
export type { Consumer, Handler, JoinOptions, RunOptions } from "../client/promise/consumer.ts"
export type { ConnectOptions, ConsumerOptions, LogEntry, ProducerOptions, SaslOptions } from "../client/promise/options.ts"
export type { ItemOutcome, Outcome } from "../client/promise/outcome.ts"
export type { Producer } from "../client/promise/producer.ts"
export type { WorkerHandler, WorkerOptions } from "../client/promise/worker.ts"
export * as Topic from "../client/topic/topic.ts"
export type * from "../client/types.ts"
